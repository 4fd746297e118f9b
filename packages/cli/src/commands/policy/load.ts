import { type CedarDirectory, cedarFromDirectory, ConfigError } from '@countersign/core';
import { CliError } from '../../cli-error.js';

/** Loads the policies once: a command must not decide by two sets. @throws CliError if the folder cannot be loaded. */
export async function loadPolicies(folder: string): Promise<CedarDirectory> {
  return await withCliErrors(
    () => cedarFromDirectory(folder, { watch: false }),
    `cedarFromDirectory('${folder}')`,
    folder,
  );
}

/** Converts a ConfigError to a CliError, with the folder's name in place of the function that threw. */
export async function withCliErrors<T>(read: () => Promise<T>, owner: string = '', name: string = owner): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof ConfigError) throw new CliError(error.message.replace(owner, () => name));
    throw error;
  }
}
