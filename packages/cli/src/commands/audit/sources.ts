import { readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import {
  checkpointsFileName,
  listSegments,
  readKeptCheckpoints,
  readVerifierKey,
  type VerifierKeyProblem,
} from '@countersign/audit-verifier';
import { CliError, exitCodes } from '../../cli-error.js';
import type { Io } from '../../io.js';
import { printable } from '../../text.js';

const keyProblems: Readonly<Record<VerifierKeyProblem, string>> = {
  malformed: 'no verifier key (name+id+base64)',
  not_ed25519: 'a verifier key of another kind than Ed25519',
  weak_key: 'a verifier key of small order, or not in its canonical form: anybody could have signed under it',
  wrong_id: 'a verifier key whose id is not that of its name and key: it was changed, or copied badly',
};

/**
 * The only verifier key, as text or in a file.
 *
 * @throws CliError if there is no such key.
 */
export async function readKey(given: string, directory: string | undefined, io: Io): Promise<string> {
  const keys = await readKeys(given, directory === undefined ? [] : [{ directory }], io);
  const [key] = keys;
  if (key !== undefined && keys.length === 1) return key;
  throw new CliError(`--key: the file ${given} holds several keys: name the one of this log`, exitCodes.usage);
}

/**
 * The verifier keys, as text or in a file, one a line. Warns if the file is beside or above a log, where it proves little.
 *
 * @throws CliError if one of them is no key.
 */
export async function readKeys(
  given: string,
  logs: readonly { readonly directory: string }[],
  io: Io,
): Promise<readonly string[]> {
  const problem = problemOf(given);
  if (problem === undefined) return [given.trim()];
  const text = await readFile(given, 'utf8').catch(() => {
    const what = keyProblems[problem];
    throw new CliError(`--key is neither a file that can be read nor a key: ${given} is ${what}`, exitCodes.usage);
  });
  const keys = text.split('\n').filter((line) => line.trim() !== '');
  const inFile = (keys.length === 0 ? [text] : keys).map(problemOf).find((each) => each !== undefined);
  if (inFile !== undefined) {
    throw new CliError(`--key: the file ${given} holds ${keyProblems[inFile]}`, exitCodes.usage);
  }
  if (logs.some(({ directory }) => dirname(resolve(given)) === resolve(directory))) {
    io.err(
      `Caution: ${printable(given)} lies beside the log. Who can write there can forge both; take the key from elsewhere.\n`,
    );
  }
  return keys.map((key) => key.trim());
}

/**
 * The verifier key in the folder of the log, the default.
 *
 * @throws CliError if there is none.
 */
export async function readOwnKey(directory: string, io: Io): Promise<string> {
  const file = join(directory, 'checkpoint.vkey');
  if (!(await stat(file).catch(() => undefined))?.isFile()) {
    throw new CliError(`name the verifier key of the log with --key: there is none at ${file}`, exitCodes.usage);
  }
  io.err(
    'Without --key this shows only that the log is consistent, not that it is the log you were given the key of.\n',
  );
  return await readKey(file, directory, io);
}

function problemOf(text: string): VerifierKeyProblem | undefined {
  const key = readVerifierKey(text.trim());
  return typeof key === 'string' ? key : undefined;
}

/**
 * The checkpoints kept elsewhere, by file.
 *
 * @throws CliError if there are none in a file.
 */
export async function readCheckpoints(files: readonly string[]): Promise<readonly string[]> {
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')));
  const empty = texts.findIndex((text) => readKeptCheckpoints(text).notes.length === 0);
  if (empty >= 0) throw new CliError(`--checkpoint: ${files[empty]} holds no whole checkpoint`, exitCodes.usage);
  return texts;
}

const mostNamed = 5;

/** @throws CliError if there is no log in the folder; the message names logs in its subfolders. */
export async function requireLog(directory: string): Promise<void> {
  if (await hasLog(directory)) return;
  if (await hasCheckpoints(directory)) {
    throw new CliError(`the segments of the audit log in ${directory} are gone, its checkpoints are not: verify it`);
  }
  const inside = await foldersWithLog(directory);
  const named = inside.slice(0, mostNamed).join(', ') + (inside.length > mostNamed ? ', …' : '');
  const hint = inside.length === 0 ? '' : `, but there is one in each of these folders in it: ${named}`;
  throw new CliError(`there is no audit log in ${directory}${hint}`);
}

/** Whether a folder holds checkpoints, which show that there was a log even if its segments are gone. */
export async function hasCheckpoints(directory: string): Promise<boolean> {
  const found = await stat(join(directory, checkpointsFileName)).catch(() => undefined);
  return found?.isFile() === true;
}

/** As many as the message names, and one more to know whether there are others. */
async function foldersWithLog(directory: string): Promise<readonly string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  const folders = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
  const found: string[] = [];
  for (const name of folders.toSorted()) {
    if (await hasLog(join(directory, name)).catch(() => false)) found.push(name);
    if (found.length > mostNamed) break;
  }
  return found;
}

/**
 * Whether a segment of a log is in a folder.
 *
 * @throws CliError if it is not a folder, or is not readable.
 */
export async function hasLog(directory: string): Promise<boolean> {
  try {
    return (await listSegments(directory)).length > 0;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return false;
    throw new CliError(
      code === 'ENOTDIR'
        ? `${directory} is a file: name the folder of the log`
        : `the folder ${directory} cannot be read (${code})`,
    );
  }
}
