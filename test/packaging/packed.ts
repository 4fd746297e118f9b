import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, realpath, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { delimiter, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type Ran, run } from '../support/run.js';

export const root: string = fileURLToPath(new URL('../../', import.meta.url));

/** What these tests read of a package.json. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly exports: Readonly<Record<string, unknown>>;
  readonly bin?: Readonly<Record<string, string>>;
  readonly engines?: Readonly<Record<string, string>>;
  readonly license?: string;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
}

/** A package as it would be published. */
export interface Packed {
  readonly name: string;
  /** Its folder in the workspace. */
  readonly source: string;
  readonly tarball: string;
  /** The unpacked tarball, in a `node_modules` that holds its declared dependencies and nothing else. */
  readonly folder: string;
  readonly manifest: Manifest;
  /** Every file of the tarball, relative to it. */
  readonly files: readonly string[];
}

export async function readManifest(folder: string): Promise<Manifest> {
  return JSON.parse(await readFile(join(folder, 'package.json'), 'utf8')) as Manifest;
}

/** The folders of everything under packages/ that is not private. */
export async function publishableFolders(): Promise<readonly string[]> {
  const folders: string[] = [];
  for (const name of (await readdir(join(root, 'packages'))).toSorted()) {
    const folder = join(root, 'packages', name);
    if (existsSync(join(folder, 'package.json')) && !(await readManifest(folder)).private) folders.push(folder);
  }
  return folders;
}

/** A test that was not started by pnpm finds it the way that the README says. */
function pnpm(...args: string[]): Promise<Ran> {
  const onPath = (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, 'pnpm')));
  return onPath ? run('pnpm', args, { cwd: root }) : run('npx', ['-y', 'pnpm@12', ...args], { cwd: root });
}

/** Packs every publishable package below `place`, unpacks each, and links what its published manifest declares. */
export async function packAll(place: string): Promise<readonly Packed[]> {
  const tarballs = join(place, 'tarballs');
  const { exitCode, stdout, stderr } = await pnpm(
    '-r',
    '--filter',
    './packages/*',
    'pack',
    '--pack-destination',
    tarballs,
  );
  if (exitCode !== 0) throw new Error(`pnpm pack failed: ${stdout}${stderr}`);
  const packed = await Promise.all((await publishableFolders()).map((folder) => unpack(folder, tarballs, place)));
  await Promise.all(packed.map((one) => linkDeclared(one, packed)));
  return packed;
}

async function unpack(source: string, tarballs: string, place: string): Promise<Packed> {
  const { name, version } = await readManifest(source);
  const tarball = join(tarballs, `${name.replace('@', '').replace('/', '-')}-${version}.tgz`);
  const folder = join(place, 'store', name, 'node_modules', name);
  await mkdir(folder, { recursive: true });
  const { exitCode, stderr } = await run('tar', ['-xzf', tarball, '-C', folder, '--strip-components=1']);
  if (exitCode !== 0) throw new Error(`${tarball}: ${stderr}`);
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
  return { name, source, tarball, folder, manifest: await readManifest(folder), files };
}

/** As pnpm would install it: what the manifest does not name cannot be imported. */
async function linkDeclared(one: Packed, all: readonly Packed[]): Promise<void> {
  const nodeModules = join(one.folder, '../..');
  for (const dependency of Object.keys({ ...one.manifest.dependencies, ...one.manifest.peerDependencies })) {
    const own = all.find(({ name }) => name === dependency);
    await link(own?.folder ?? (await realpath(join(one.source, 'node_modules', dependency))), nodeModules, dependency);
  }
}

/** An application that installed every package, and Node's types. */
export async function makeApplication(folder: string, packed: readonly Packed[]): Promise<void> {
  const nodeModules = join(folder, 'node_modules');
  for (const { name, folder: target } of packed) await link(target, nodeModules, name);
  await link(
    dirname(createRequire(join(root, 'package.json')).resolve('@types/node/package.json')),
    nodeModules,
    '@types/node',
  );
}

async function link(target: string, nodeModules: string, name: string): Promise<void> {
  const path = join(nodeModules, name);
  await mkdir(dirname(path), { recursive: true });
  await symlink(target, path, 'junction');
}

/** The names under which a package can be imported. */
export function entryPoints({ name, manifest }: Packed): readonly string[] {
  return Object.keys(manifest.exports)
    .filter((path) => path !== './package.json')
    .map((path) => name + path.slice(1));
}
