import { hash } from 'node:crypto';
import { mkdir, readFile, rm, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { isJsonObject } from '@countersign/common';
import { CliError } from '../../cli-error.js';

/** Where `init` remembers what it wrote. */
export const ownFolder = '.countersign';
/** The list is a file that anyone may have changed: it names nothing else. */
const ownFiles =
  /^(?:(?:src\/)?guard\.[tj]s|test\/agents\.test\.m?[tj]s|agents\.json|agent\.pem|policies\/[a-z]+\.[a-z]+)$/;
const listFile = `${ownFolder}/init.json`;

/** Digests of the files that `init` wrote, by path; lines that it added to `.gitignore`. */
export interface Written {
  readonly files: Readonly<Record<string, string>>;
  readonly ignored: readonly string[];
}

export async function readWritten(folder: string): Promise<Written> {
  const text = await readFile(join(folder, listFile), 'utf8').catch(() => '{}');
  const { files, ignored } = parsed(text);
  return { files: isJsonObject(files) ? files : {}, ignored: Array.isArray(ignored) ? ignored : [] };
}

function parsed(text: string): Partial<Written> {
  try {
    const list: unknown = JSON.parse(text);
    if (isJsonObject(list)) return list;
  } catch {
    // Reported below.
  }
  throw new CliError(`${listFile} cannot be read. Remove it, and what init wrote by hand.`);
}

/** Adds files to the list, by their present contents. */
export async function remember(folder: string, paths: readonly string[], ignored: readonly string[]): Promise<void> {
  const known = await readWritten(folder);
  const fresh = await Promise.all(paths.map(async (path) => [path, await digestOf(join(folder, path))] as const));
  const files = { ...known.files, ...Object.fromEntries(fresh) };
  await mkdir(join(folder, ownFolder), { recursive: true });
  const list = { files, ignored: [...new Set([...known.ignored, ...ignored])] };
  await writeFile(join(folder, listFile), `${JSON.stringify(list, null, 2)}\n`);
}

/** Removes what was written and is unchanged. Resolves to what was removed, and what was kept because it was changed. */
export async function undo(
  folder: string,
): Promise<{ readonly removed: readonly string[]; readonly kept: readonly string[] }> {
  const { files, ignored } = await readWritten(folder);
  const removed: string[] = [];
  const kept: string[] = [];
  for (const [path, digest] of Object.entries(files).filter(([name]) => ownFiles.test(name))) {
    const now = await digestOf(join(folder, path)).catch(() => undefined);
    if (now === undefined) continue;
    if (now !== digest) {
      kept.push(path);
      continue;
    }
    await rm(join(folder, path));
    // Folders that are empty now were made for it.
    if (path.includes('/')) await rmdir(dirname(join(folder, path))).catch(() => undefined);
    removed.push(path);
  }
  if (ignored.length > 0) await withoutLines(join(folder, '.gitignore'), ignored);
  await rm(join(folder, ownFolder), { recursive: true, force: true });
  return { removed, kept };
}

async function withoutLines(path: string, lines: readonly string[]): Promise<void> {
  const text = await readFile(path, 'utf8').catch(() => '');
  const rest = text.split('\n').filter((line) => !lines.includes(line));
  if (rest.join('').trim() === '') await rm(path, { force: true });
  else await writeFile(path, rest.join('\n'));
}

async function digestOf(path: string): Promise<string> {
  return hash('sha256', await readFile(path), 'hex');
}
