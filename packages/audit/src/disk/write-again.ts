import { closeSync, constants, fdatasyncSync, openSync } from 'node:fs';
import { codeOf } from '@countersign/common';
import type { FileOperations } from './append-file.js';

const { O_NOFOLLOW, O_RDWR } = constants;

/**
 * Writes over bytes of a file what was just read of them. After a sync that failed the kernel may hold pages as written
 * that never reached the disk: what was read then is no proof that it is there, and later syncs leave it out.
 */
export function writeAgain(path: string, position: number, bytes: Uint8Array, system: FileOperations): void {
  if (bytes.length === 0) return;
  const descriptor = openUnlessFixed(path);
  if (descriptor === undefined) return;
  try {
    let written = 0;
    while (written < bytes.length) {
      const more = system.rewrite(descriptor, bytes.subarray(written), position + written);
      if (more === 0) throw new Error(`${path} takes no bytes`);
      written += more;
    }
    fdatasyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

/** Where a file can only grow nothing can be written over. */
function openUnlessFixed(path: string): number | undefined {
  try {
    return openSync(path, O_RDWR | O_NOFOLLOW);
  } catch (error) {
    if (codeOf(error) === 'EPERM') return undefined;
    throw error;
  }
}
