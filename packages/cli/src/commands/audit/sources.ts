import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import {
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
  wrong_id: 'a verifier key whose id is not that of its name and key: it was changed, or copied badly',
};

/**
 * The verifier key, given itself or in a file. One that lies where the log is proves little, and that is said.
 *
 * @throws CliError if there is no such key.
 */
export async function readKey(given: string, directory: string | undefined, io: Io): Promise<string> {
  const problem = problemOf(given);
  if (problem === undefined) return given.trim();
  const text = await readFile(given, 'utf8').catch(() => {
    const what = keyProblems[problem];
    throw new CliError(`--key is neither a file that can be read nor a key: ${given} is ${what}`, exitCodes.usage);
  });
  const inFile = problemOf(text);
  if (inFile !== undefined) {
    throw new CliError(`--key: the file ${given} holds ${keyProblems[inFile]}`, exitCodes.usage);
  }
  if (directory !== undefined && dirname(resolve(given)) === resolve(directory)) {
    io.err(
      `Caution: ${printable(given)} lies beside the log. Who can write there can forge both; take the key from elsewhere.\n`,
    );
  }
  return text.trim();
}

function problemOf(text: string): VerifierKeyProblem | undefined {
  const key = readVerifierKey(text.trim());
  return typeof key === 'string' ? key : undefined;
}

/**
 * The checkpoints that were kept elsewhere, by file.
 *
 * @throws CliError if there are none in a file.
 */
export async function readCheckpoints(files: readonly string[]): Promise<readonly string[]> {
  const texts = await Promise.all(files.map((file) => readFile(file, 'utf8')));
  const empty = texts.findIndex((text) => readKeptCheckpoints(text).notes.length === 0);
  if (empty >= 0) throw new CliError(`--checkpoint: ${files[empty]} holds no whole checkpoint`, exitCodes.usage);
  return texts;
}

/** @throws CliError if there is no log in the folder. */
export async function requireLog(directory: string): Promise<void> {
  if (!(await hasLog(directory))) throw new CliError(`there is no audit log in ${directory}`);
}

/**
 * Whether a segment of a log is in a folder.
 *
 * @throws CliError if it is no folder, or cannot be read.
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
