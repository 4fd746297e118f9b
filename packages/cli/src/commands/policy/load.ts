import { type CedarDirectory, cedarFromDirectory, ConfigError } from '@countersign/core';
import { CliError } from '../../cli-error.js';

/** @throws CliError that says what is wrong with the folder. */
export async function loadPolicies(folder: string): Promise<CedarDirectory> {
  return await orCliError(() => cedarFromDirectory(folder), `cedarFromDirectory('${folder}')`, folder);
}

/** What is wrong with a folder is for the person, who knows it by its name, not by that of a function of ours. */
export async function orCliError<T>(read: () => Promise<T>, owner: string = '', name: string = owner): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof ConfigError) throw new CliError(error.message.replace(owner, () => name));
    throw error;
  }
}
