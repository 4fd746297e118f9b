import { hash } from 'node:crypto';
import { mkdir, readFile, rename, rm, rmdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { codeOf, isJsonObject } from '@countersign/common';
import { CliError, messageOf } from '../../cli-error.js';

/** Where `init` remembers what it wrote. */
export const ownFolder = '.countersign';
/** The list is a file that anyone may have changed: it names nothing else. */
const ownFiles =
  /^(?:(?:src\/)?guard\.[tj]s|test\/agents\.test\.m?[tj]s|agents\.json|agent\.pem|agent-routes\.txt|policies\/[a-z]+\.[a-z]+)$/;
const listFile = `${ownFolder}/init.json`;

/** What `init` wrote. */
export interface Written {
  /** By path, the digests that a file has as `init` left it: two while it is replaced. */
  readonly files: Readonly<Record<string, readonly string[]>>;
  /** Lines added to `.gitignore`. */
  readonly ignored: readonly string[];
}

/** A file to write, or to replace by new contents. */
export interface PlannedFile {
  readonly path: string;
  readonly text: string | Buffer;
  /** Whether only its owner may read it. */
  readonly isSecret?: boolean;
}

export async function readWritten(folder: string): Promise<Written> {
  const text = await readFile(join(folder, listFile), 'utf8').catch(() => '{}');
  const { files, ignored } = parsed(text);
  const digests = Object.entries(isJsonObject(files) ? files : {}).map(([path, known]) => [path, [known].flat()]);
  return { files: Object.fromEntries(digests), ignored: Array.isArray(ignored) ? ignored : [] };
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

/** `absent`: nobody has it. `own`: as `init` left it, so that it may be replaced. `foreign`: somebody else's. */
export async function stateOf(folder: string, path: string, written: Written): Promise<'absent' | 'own' | 'foreign'> {
  const now = await digestOf(join(folder, path));
  if (now === undefined) return 'absent';
  return written.files[path]?.includes(now) === true ? 'own' : 'foreign';
}

/**
 * Writes all files, or none: a failure takes back what was written before it. The list is written first, so that
 * `--undo` finds the files also after a crash.
 *
 * @throws CliError (as a rejection) that says whether anything is left.
 */
export async function writeAll(
  folder: string,
  files: readonly PlannedFile[],
  ignored: readonly string[],
): Promise<void> {
  const known = await readWritten(folder);
  const before = await Promise.all(files.map(({ path }) => readFile(join(folder, path)).catch(() => undefined)));
  const ignoreFile = join(folder, '.gitignore');
  const ignoredBefore = await readFile(ignoreFile, 'utf8').catch(() => undefined);
  const all = { ...known, ignored: [...new Set([...known.ignored, ...ignored])] };
  const digests = files.map(({ path, text }) => [path, [hash('sha256', text, 'hex')]] as const);
  const both = digests.map(([path, digest]) => [path, [...(known.files[path] ?? []), ...digest]] as const);
  const done: number[] = [];
  try {
    await writeList(folder, { ...all, files: { ...known.files, ...Object.fromEntries(both) } });
    // Before the key is there, so that nobody commits it.
    if (ignored.length > 0) await writeFile(ignoreFile, withLines(ignoredBefore ?? '', ignored));
    for (const [place, file] of files.entries()) {
      await replace(folder, file);
      done.push(place);
    }
    await writeList(folder, { ...all, files: { ...known.files, ...Object.fromEntries(digests) } });
  } catch (error) {
    const changed = done.map((place) => [files[place], before[place]] as const);
    const isClean = await takeBack(folder, changed, known);
    const rest = isClean ? 'Nothing was written.' : 'Take back what was written: countersign init --undo';
    throw new CliError(`${messageOf(error)}. ${rest}`);
  }
}

/** What cannot be taken back stays in the list, for `--undo`. Resolves to whether all was. */
async function takeBack(
  folder: string,
  changed: readonly (readonly [PlannedFile | undefined, Buffer | undefined])[],
  known: Written,
): Promise<boolean> {
  try {
    for (const [file, text] of changed) {
      if (file === undefined) continue;
      if (text === undefined) await removeFile(folder, file.path);
      else await replace(folder, { ...file, text });
    }
    const added = (await readWritten(folder)).ignored.filter((line) => !known.ignored.includes(line));
    if (added.length > 0) await withoutLines(join(folder, '.gitignore'), added);
    if (Object.keys(known.files).length === 0) await rm(join(folder, ownFolder), { recursive: true, force: true });
    else await writeList(folder, known);
    return true;
  } catch {
    return false;
  }
}

/** Nobody ever sees half a file, and no symbolic link is followed. */
async function replace(folder: string, { path, text, isSecret }: PlannedFile): Promise<void> {
  const fresh = join(folder, ownFolder, 'new');
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await rm(fresh, { force: true });
  await writeFile(fresh, text, { flag: 'wx', ...(isSecret === true && { mode: 0o600 }) });
  await rename(fresh, join(folder, path));
}

async function writeList(folder: string, list: Written): Promise<void> {
  await mkdir(join(folder, ownFolder), { recursive: true });
  await replace(folder, { path: listFile, text: `${JSON.stringify(list, null, 2)}\n` });
}

/** Removes what was written and is unchanged. Resolves to what was removed, and what was kept because it was changed. */
export async function undo(
  folder: string,
): Promise<{ readonly removed: readonly string[]; readonly kept: readonly string[] }> {
  const written = await readWritten(folder);
  const removed: string[] = [];
  const kept: string[] = [];
  for (const path of Object.keys(written.files).filter((name) => ownFiles.test(name))) {
    const state = await stateOf(folder, path, written);
    if (state === 'foreign') kept.push(path);
    if (state !== 'own') continue;
    await removeFile(folder, path);
    removed.push(path);
  }
  if (written.ignored.length > 0) await withoutLines(join(folder, '.gitignore'), written.ignored);
  await rm(join(folder, ownFolder), { recursive: true, force: true });
  return { removed, kept };
}

/** Folders that are empty then were made for it. */
async function removeFile(folder: string, path: string): Promise<void> {
  await rm(join(folder, path), { force: true });
  if (path.includes('/')) await rmdir(dirname(join(folder, path))).catch(() => undefined);
}

function withLines(text: string, lines: readonly string[]): string {
  return `${text}${text === '' || text.endsWith('\n') ? '' : '\n'}${lines.join('\n')}\n`;
}

async function withoutLines(path: string, lines: readonly string[]): Promise<void> {
  const text = await readFile(path, 'utf8').catch(() => '');
  if (text === '') return;
  const rest = text.split('\n').filter((line) => !lines.includes(line));
  if (rest.join('').trim() === '') await rm(path, { force: true });
  else await writeFile(path, rest.join('\n'));
}

/** Undefined if there is nothing; of what is there and cannot be read, an empty text. */
async function digestOf(path: string): Promise<string | undefined> {
  return await readFile(path).then(
    (bytes) => hash('sha256', bytes, 'hex'),
    (error: unknown) => (codeOf(error) === 'ENOENT' ? undefined : ''),
  );
}
