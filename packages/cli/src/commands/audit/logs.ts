import { readdir, readFile } from 'node:fs/promises';
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
import { CliError, exitCodes } from '../../cli-error.js';
import { hasCheckpoints, hasLog, requireLog } from './sources.js';

/** The folder of one log. */
export interface LogFolder {
  readonly directory: string;
  /** What tells it from the other logs that are read with it. */
  readonly name: string;
}

/**
 * The logs of the folders that were named: each is the folder of a log, or a folder of such folders, as of the processes
 * of one API.
 *
 * @throws CliError if there is no log in one of them, or a log is named twice.
 */
export async function logsIn(directories: readonly string[]): Promise<readonly LogFolder[]> {
  const found = (await Promise.all(directories.map(foldersIn))).flat();
  const paths = found.map((directory) => resolve(directory));
  if (new Set(paths).size < paths.length) {
    throw new CliError('a folder is named twice: each of its records would be shown twice', exitCodes.usage);
  }
  const names = paths.map((path) => basename(path));
  const areNames = new Set(names).size === names.length;
  return found.map((directory, index) => ({ directory, name: (areNames ? names[index] : undefined) ?? directory }));
}

async function foldersIn(directory: string): Promise<readonly string[]> {
  if (await isLog(directory)) return [directory];
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  const inside = entries
    .filter((entry) => entry.isDirectory() || entry.isSymbolicLink())
    .map(({ name }) => join(directory, name));
  const areLogs = await Promise.all(inside.map(isLog));
  const logs = inside.filter((_, index) => areLogs[index]).toSorted();
  if (logs.length === 0) await requireLog(directory);
  return logs;
}

/**
 * The logs of a folder, to verify them. With checkpoints that were kept elsewhere, the loss of everything is a finding, and
 * no mistake in the command.
 */
export async function logsToVerify(directory: string, checkpoints: readonly string[]): Promise<readonly LogFolder[]> {
  if (checkpoints.length === 0) return await logsIn([directory]);
  return await logsIn([directory]).catch(() => [{ directory, name: basename(resolve(directory)) }]);
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
