import { existsSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { type Ran, run } from '../support/run.js';
import { link, publishedPackages, readManifest, root, type WorkspacePackage } from '../support/workspace.js';

/** A package as it would be published: `folder` is the unpacked tarball, and `manifest` the one in it. */
export interface Packed extends WorkspacePackage {
  readonly tarball: string;
  /** Every file of the tarball, relative to `folder`. */
  readonly files: readonly string[];
}

/**
 * Packs every published package below `place` and unpacks each into a `node_modules` of its own. As pnpm would install
 * it: what its published manifest does not name cannot be imported.
 */
export async function packAll(place: string): Promise<readonly Packed[]> {
  const tarballs = join(place, 'tarballs');
  const packing = await pnpm('-r', '--filter', './packages/*', 'pack', '--pack-destination', tarballs);
  if (packing.exitCode !== 0) throw new Error(`pnpm pack failed: ${packing.stdout}${packing.stderr}`);
  const sources = publishedPackages();
  const packed = await Promise.all(sources.map((source) => unpack(source, tarballs, join(place, 'store'))));
  for (const [index, { folder, manifest }] of packed.entries()) {
    for (const dependency of Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })) {
      const ours = packed.find(({ name }) => name === dependency)?.folder;
      const installed = join(sources[index]?.folder ?? '', 'node_modules', dependency);
      await link(ours ?? installed, join(folder, '../..'), dependency);
    }
  }
  return packed;
}

/** A test that was not started by pnpm finds it the way that the README says. */
function pnpm(...args: string[]): Promise<Ran> {
  const onPath = (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, 'pnpm')));
  const options = { cwd: root, deadlineSeconds: 110 };
  return onPath ? run('pnpm', args, options) : run('npx', ['-y', 'pnpm@12', ...args], options);
}

async function unpack({ name, manifest }: WorkspacePackage, tarballs: string, store: string): Promise<Packed> {
  const tarball = join(tarballs, `${name.replace('@', '').replace('/', '-')}-${manifest.version}.tgz`);
  const folder = join(store, name, 'node_modules', name);
  await mkdir(folder, { recursive: true });
  const { exitCode, stderr } = await run('tar', ['-xzf', tarball, '-C', folder, '--strip-components=1']);
  if (exitCode !== 0) throw new Error(`${tarball}: ${stderr}`);
  const files = (await readdir(folder, { recursive: true, withFileTypes: true }))
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
  return { name, tarball, folder, manifest: readManifest(folder), files };
}

/** The names under which a package can be imported. */
export function entryPoints({ name, manifest }: Packed): readonly string[] {
  return Object.keys(manifest.exports)
    .filter((path) => path !== './package.json')
    .map((path) => name + path.slice(1));
}
