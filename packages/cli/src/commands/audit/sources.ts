import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { listSegments, parseVerifierKey, readKeptCheckpoints } from '@countersign/audit-verifier';
import { CliError, exitCodes } from '../../cli-error.js';
import type { Io } from '../../io.js';
import { printable } from '../../text.js';

/**
 * The verifier key, given itself or in a file. One that lies where the log is proves little, and that is said.
 *
 * @throws CliError if there is no such key.
 */
export async function readKey(given: string, directory: string | undefined, io: Io): Promise<string> {
  if (parseVerifierKey(given.trim()) !== undefined) return given.trim();
  const form = 'a verifier key (name+id+base64), or a file that holds one';
  const text = await readFile(given, 'utf8').catch(() => {
    throw new CliError(`--key must be ${form}; there is no file ${given}`, exitCodes.usage);
  });
  if (parseVerifierKey(text.trim()) === undefined) {
    throw new CliError(`--key must be ${form}; ${given} holds none`, exitCodes.usage);
  }
  if (directory !== undefined && dirname(resolve(given)) === resolve(directory)) {
    io.err(
      `Caution: ${printable(given)} lies beside the log. Who can write there can forge both; take the key from elsewhere.\n`,
    );
  }
  return text.trim();
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
