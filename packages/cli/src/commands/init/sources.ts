import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { namesOtherPackage } from './application.js';

/** A source file of the application. */
export interface Source {
  /** Relative to the folder of the application, with slashes. */
  readonly path: string;
  readonly text: string;
}

const mostFiles = 2000;
const mostBytes = 1_000_000;
const extensions = /\.[cm]?[jt]s$/;
const notSources = /(?:\.d\.[cm]?ts|\.(?:test|spec)\.[cm]?[jt]s|\.config\.[cm]?[jt]s)$/;
const otherFolders = new Set([
  'node_modules',
  'dist',
  'build',
  'out',
  'coverage',
  'test',
  'tests',
  '__tests__',
  '__mocks__',
  'e2e',
  'fixtures',
  'public',
  'static',
  'assets',
  'vendor',
]);

/** The source files, those nearest to the root first. Tests, what was built and other packages are left out. */
export async function readSources(folder: string): Promise<readonly Source[]> {
  const paths = await pathsBelow(folder, '');
  paths.sort((one, other) => depthOf(one) - depthOf(other) || (one < other ? -1 : 1));
  const texts = await Promise.all(
    paths.slice(0, mostFiles).map(async (path) => ({ path, text: await readFile(join(folder, path), 'utf8') })),
  );
  return texts.filter(({ text }) => text.length <= mostBytes);
}

async function pathsBelow(folder: string, prefix: string): Promise<string[]> {
  const entries = await readdir(join(folder, prefix), { withFileTypes: true });
  const hasManifest = prefix !== '' && entries.some(({ name }) => name === 'package.json');
  if (hasManifest && (await namesOtherPackage(join(folder, prefix)))) return [];
  const paths: string[] = [];
  for (const entry of entries) {
    const { name } = entry;
    if (name.startsWith('.')) continue;
    if (entry.isDirectory() && !otherFolders.has(name)) paths.push(...(await pathsBelow(folder, `${prefix}${name}/`)));
    if (entry.isFile() && extensions.test(name) && !notSources.test(name)) paths.push(`${prefix}${name}`);
  }
  return paths;
}

function depthOf(path: string): number {
  return path.split('/').length;
}

/** `src/app.ts:12` */
export function shownPlace({ path, text }: Source, at: number): string {
  return `${path}:${text.slice(0, at).split('\n').length}`;
}
