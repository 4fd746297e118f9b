import { readdir, readFile, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import {
  checkpointsFileName,
  listSegments,
  parseCheckpoint,
  readFirstLine,
  readHeader,
  readLogLine,
  splitCheckpoints,
} from '@countersign/audit-verifier';
import { codeOf } from '@countersign/common';
import { CliError, exitCodes } from '../../cli-error.js';
import { hasCheckpoints, hasLog, requireLog } from './sources.js';

/** The folder of one log. */
export interface LogFolder {
  readonly directory: string;
  /** What tells it from the other logs that are read with it. */
  readonly name: string;
}

/** As deep as folders are searched for logs. */
const maxDepth = 4;

/**
 * The logs of the folders that were named: of each, its own log and those of the folders in it, as of the processes of one
 * API.
 *
 * @throws CliError if there is no log in one of them, a folder cannot be read, or a log is named twice.
 */
export async function logsIn(directories: readonly string[]): Promise<readonly LogFolder[]> {
  const found: string[] = [];
  for (const directory of directories) {
    const logs = await foldersIn(directory);
    if (logs.length === 0) await requireLog(directory);
    found.push(...logs);
  }
  if (new Set(found.map((directory) => resolve(directory))).size < found.length) {
    throw new CliError('a folder is named twice: each of its records would be shown twice', exitCodes.usage);
  }
  return named(found);
}

/** Folders with the names that tell them apart. */
export function named(directories: readonly string[]): readonly LogFolder[] {
  const names = directories.map((directory) => basename(resolve(directory)));
  const areNames = new Set(names).size === names.length;
  return directories.map((directory, index) => ({
    directory,
    name: (areNames ? names[index] : undefined) ?? directory,
  }));
}

/**
 * A folder, if it holds a log, and all such folders in it: one log must not hide the others.
 *
 * @throws CliError if one of them cannot be read.
 */
export async function foldersIn(directory: string, depth = 0): Promise<readonly string[]> {
  const found = (await isLog(directory)) ? [directory] : [];
  if (depth === maxDepth) return found;
  const inside = await subfolders(directory, depth === 0);
  const logs = await Promise.all(inside.map((folder) => foldersIn(folder, depth + 1)));
  return [...found, ...logs.flat()];
}

/** Links further down could lead back up. */
async function subfolders(directory: string, followsLinks: boolean): Promise<readonly string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return [];
    throw error;
  });
  const folders: string[] = [];
  for (const entry of entries) {
    const path = join(directory, entry.name);
    const isLinked = followsLinks && entry.isSymbolicLink() && (await stat(path).catch(() => undefined))?.isDirectory();
    // At the root of a volume, and nobody but root may read it.
    if ((entry.isDirectory() || isLinked === true) && entry.name !== 'lost+found') folders.push(path);
  }
  return folders.toSorted();
}

/**
 * The logs of a folder, to verify them. With checkpoints that were kept elsewhere, the loss of everything is a finding, and
 * no mistake in the command.
 */
export async function logsToVerify(directory: string, checkpoints: readonly string[]): Promise<readonly LogFolder[]> {
  const isLost = checkpoints.length > 0 && (await foldersIn(directory)).length === 0;
  return isLost ? named([directory]) : await logsIn([directory]);
}

/** Checkpoints without segments show a log that is gone, which must not be passed over. */
async function isLog(directory: string): Promise<boolean> {
  return (await hasLog(directory)) || (await hasCheckpoints(directory));
}

/**
 * The name of a log, as its first record says, or else its checkpoints. Nothing is verified. Undefined: it does not say.
 */
export async function originOf({ directory }: LogFolder): Promise<string | undefined> {
  const [first] = await listSegments(directory);
  const header = first && readHeader(readLogLine(await readFirstLine(first.path))?.record);
  if (header !== undefined) return header.origin;
  const [note = ''] = splitCheckpoints(await readFile(join(directory, checkpointsFileName), 'utf8').catch(() => ''));
  return parseCheckpoint(note.slice(0, note.indexOf('\n\n') + 1))?.origin;
}

/** Folders that say that they hold the same log: one is a copy, or has taken the place of another. */
export async function twinsAmong(logs: readonly LogFolder[]): Promise<readonly string[]> {
  const origins = await Promise.all(logs.map(originOf));
  return logs.flatMap(({ name }, index) => {
    const before = origins.indexOf(origins[index]);
    const origin = origins[index];
    if (origin === undefined || before === index) return [];
    return [`${logs[before]?.name ?? ''} and ${name} hold the same log, ${origin}: one is a copy of the other.`];
  });
}
