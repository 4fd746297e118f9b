import { readdir } from 'node:fs/promises';
import { CliError, exitCodes } from '../cli-error.js';

/** @throws CliError if there is something in the folder. */
export async function requireEmpty(folder: string): Promise<void> {
  const names = await readdir(folder).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  if (names.length > 0) {
    throw new CliError(`${folder} is not empty: nothing was written. Name a new folder`, exitCodes.usage);
  }
}
