import { randomBytes } from 'node:crypto';
import { lstat, rename, rm, writeFile } from 'node:fs/promises';
import { CliError } from '../cli-error.js';

interface PrivateFileOptions {
  /** Put a new file in the place of one that is there. */
  readonly overwrite: boolean;
  /** What is lost with a file that is there. */
  readonly holds: string;
}

/**
 * Writes a file for its owner's eyes only (mode 0600). It is created with its mode, so it is at no moment readable by
 * others; it never goes through a symbolic link, nor over another file unless that was asked for.
 *
 * @throws CliError if there is such a file.
 */
export async function writePrivateFile(
  path: string,
  text: string,
  { overwrite, holds }: PrivateFileOptions,
): Promise<void> {
  if (overwrite) return await replaceFile(path, text);
  try {
    await writeFile(path, text, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') {
      throw new CliError(`${path} exists. Choose another file, or --force to lose ${holds}.`);
    }
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
