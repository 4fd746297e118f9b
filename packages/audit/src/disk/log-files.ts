import { closeSync, constants, fsyncSync, mkdirSync, openSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { segmentName, segmentsAmong } from '@countersign/audit-verifier';
import { checkRegularFile, openRegularFile } from './regular-file.js';

const { O_APPEND, O_CREAT, O_EXCL, O_NOFOLLOW, O_RDONLY, O_RDWR } = constants;

/** The public key of a log, in its folder. */
export const verifierKeyFileName = 'checkpoint.vkey';

/** Creates the folder of a log. Its parents are synced too: otherwise a power loss could remove the folder. */
export function makeFolder(directory: string): void {
  const created = mkdirSync(directory, { recursive: true, mode: 0o700 });
  if (created === undefined) return;
  for (let folder = directory; folder !== dirname(created); folder = dirname(folder)) syncDirectory(folder);
  syncDirectory(dirname(created));
}

/**
 * Opens a regular file for appending and makes its name durable. Never through a symbolic link to another file. A file
 * that must be new is removed if that fails, so that the next attempt can make it.
 */
export function openForAppend(path: string, mustBeNew = false): number {
  const flags = O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW | (mustBeNew ? O_EXCL : 0);
  const descriptor = openRegularFile(path, flags, 0o600);
  try {
    syncDirectory(dirname(path));
    return descriptor;
  } catch (error) {
    closeSync(descriptor);
    if (mustBeNew) rmSync(path, { force: true });
    throw error;
  }
}

/** The segments of a log, in order. */
export function segmentsIn(directory: string): { readonly number: number; readonly path: string }[] {
  const segments = segmentsAmong(readdirSync(directory));
  for (const { file } of segments) checkRegularFile(join(directory, file));
  return segments.map(({ number, file }) => ({ number, path: join(directory, file) }));
}

export function segmentPath(directory: string, number: number): string {
  return join(directory, segmentName(number));
}

/** Makes the names in a folder durable. Windows cannot do this, and need not. */
export function syncDirectory(directory: string): void {
  if (process.platform === 'win32') return;
  const descriptor = openSync(directory, O_RDONLY);
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
