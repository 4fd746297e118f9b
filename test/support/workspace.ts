import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, realpath, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root: string = fileURLToPath(new URL('../../', import.meta.url));

/** The members of a package.json that the tests read. */
export interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly private?: boolean;
  readonly exports: Readonly<Record<string, unknown>>;
  readonly publishConfig?: { readonly exports: Readonly<Record<string, unknown>> };
  readonly bin?: Readonly<Record<string, string>>;
  readonly engines?: Readonly<Record<string, string>>;
  readonly license?: string;
  readonly scripts?: Readonly<Record<string, string>>;
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly peerDependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
}

export function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest;
}

export interface WorkspacePackage {
  readonly name: string;
  readonly folder: string;
  readonly manifest: Manifest;
}

/** The published packages. */
export function publishedPackages(): readonly WorkspacePackage[] {
  return readdirSync(join(root, 'packages'))
    .toSorted()
    .map((name) => join(root, 'packages', name))
    .filter((folder) => existsSync(join(folder, 'package.json')))
    .map((folder) => ({ name: readManifest(folder).name, folder, manifest: readManifest(folder) }))
    .filter(({ manifest }) => manifest.private !== true);
}

/** Puts a package into `node_modules`, like an install. */
export async function link(target: string, nodeModules: string, name: string): Promise<void> {
  const path = join(nodeModules, name);
  await mkdir(dirname(path), { recursive: true });
  await symlink(await realpath(target), path, 'junction');
}

/** Installs packages into an application, and the types of Node with them. */
export async function makeApplication(folder: string, packages: ReadonlyMap<string, string>): Promise<void> {
  const types = dirname(createRequire(join(root, 'package.json')).resolve('@types/node/package.json'));
  for (const [name, target] of new Map([...packages, ['@types/node', types]])) {
    await link(target, join(folder, 'node_modules'), name);
  }
}
