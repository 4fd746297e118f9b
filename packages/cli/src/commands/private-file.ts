import { randomBytes } from 'node:crypto';
import { lstat, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { codeOf } from '@countersign/common';
import { CliError } from '../cli-error.js';

interface PrivateFileOptions {
  /** Replace an existing file. */
  readonly overwrite: boolean;
  /** The loss when an existing file is replaced, for the message. */
  readonly holds: string;
}

/**
 * Writes a file that only its owner can read (mode 0600). It is created with this mode, so others can never read it. It
 * never follows a symbolic link, and never overwrites a file without `overwrite`.
 *
 * @throws CliError if there is such a file, or its folder is missing.
 */
export async function writePrivateFile(
  path: string,
  text: string,
  { overwrite, holds }: PrivateFileOptions,
): Promise<void> {
  try {
    await (overwrite ? replaceFile(path, text) : writeFile(path, text, { mode: 0o600, flag: 'wx' }));
  } catch (error) {
    if (codeOf(error) === 'EEXIST') {
      throw new CliError(`${path} exists. Choose another file, or --force to lose ${holds}.`);
    }
    if (codeOf(error) === 'ENOENT') throw new CliError(`there is no folder ${dirname(path)}. Make it first.`);
    throw error;
  }
}

async function replaceFile(path: string, text: string): Promise<void> {
  const there = await lstat(path).catch(() => undefined);
  if (there?.isFile() === false) throw new CliError(`${path} is no regular file. Choose another.`);
  const fresh = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    await writeFile(fresh, text, { mode: 0o600, flag: 'wx' });
    await rename(fresh, path);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
}
