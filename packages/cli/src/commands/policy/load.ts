import { type CedarDirectory, cedarFromDirectory, ConfigError } from '@countersign/core';
import { CliError } from '../../cli-error.js';

/** @throws CliError that says what is wrong with the folder. */
export async function loadPolicies(folder: string): Promise<CedarDirectory> {
  return await orCliError(() => cedarFromDirectory(folder));
}

/** What is wrong with a folder is for the person, and no fault of ours. */
export async function orCliError<T>(read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof ConfigError) throw new CliError(error.message);
    throw error;
  }
}
