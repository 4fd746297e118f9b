import { closeSync, constants, fstatSync, lstatSync, openSync, readFileSync } from 'node:fs';
import { codeOf, ConfigError } from '@countersign/common';

const { O_NONBLOCK, O_RDONLY } = constants;

/**
 * Opens a regular file: opening a pipe would wait for its other end, and a device is nobody's file to write.
 *
 * @throws ConfigError if it is another kind of file.
 */
export function openRegularFile(path: string, flags: number, mode?: number): number {
  const descriptor = openSync(path, flags | O_NONBLOCK, mode);
  try {
    if (fstatSync(descriptor).isFile()) return descriptor;
    throw notRegular(path);
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/** What a regular file holds, also through a symbolic link; undefined if there is none of that name. */
export function readIfPresent(path: string): Buffer | undefined {
  let descriptor: number;
  try {
    descriptor = openRegularFile(path, O_RDONLY);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return readFileSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** @throws ConfigError if something other than a regular file has the name, such as a link, a pipe or a device. */
export function checkRegularFile(path: string, owner = 'auditFile'): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found !== undefined && !found.isFile()) throw notRegular(path, owner);
}

function notRegular(path: string, owner = 'auditFile'): ConfigError {
  return new ConfigError(`${owner}: '${path}' is not a regular file. It is neither read nor replaced: move it away.`);
}
