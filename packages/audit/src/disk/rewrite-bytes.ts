import { closeSync, constants, fdatasyncSync, openSync } from 'node:fs';
import { codeOf } from '@countersign/common';
import type { FileOperations } from './append-file.js';

const { O_NOFOLLOW, O_RDWR } = constants;

/**
 * Rewrites bytes that were just read, and syncs them. After a failed sync the kernel may mark pages clean that never
 * reached the disk: a read does not prove that the bytes are durable, and later syncs skip them.
 */
export function rewriteAndSync(path: string, position: number, bytes: Uint8Array, system: FileOperations): void {
  if (bytes.length === 0) return;
  const descriptor = openUnlessAppendOnly(path);
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

/** Undefined for an append-only file (`chattr +a`), which cannot be rewritten. */
function openUnlessAppendOnly(path: string): number | undefined {
  try {
    return openSync(path, O_RDWR | O_NOFOLLOW);
  } catch (error) {
    if (codeOf(error) === 'EPERM') return undefined;
    throw error;
  }
}
