import { closeSync, fstatSync, fsyncSync, ftruncateSync } from 'node:fs';
import { join } from 'node:path';
import { checkpointsFileName } from '@countersign/audit-verifier';
import { ConfigError } from '../config-error.js';
import { AppendFile, type FileOperations } from './append-file.js';
import { openForAppend } from './log-files.js';
import { readFrom } from './read-from.js';

/** Holds the last notes whole; a note of ours is below 1 KiB. */
const tailBytes = 64 * 1024;

/** The checkpoints of a log, one after the other, each ended by a blank line. */
export interface CheckpointFile {
  /** The last one that is whole. */
  readonly last: string | undefined;
  /** Resolves when it is durable. */
  append(note: string): Promise<void>;
  close(): void;
}

/** Opens the file; cuts off a note that a crash has torn. */
export function openCheckpointFile(directory: string, operations: FileOperations): CheckpointFile {
  const path = join(directory, checkpointsFileName);
  const descriptor = openForAppend(path);
  try {
    const { size } = fstatSync(descriptor);
    const start = Math.max(0, size - tailBytes);
    const tail = readFrom(descriptor, start, size).toString('latin1');
    const ends = [0, ...endsOfNotes(tail)];
    const end = ends.at(-1) ?? 0;
    if (end === 0 && start > 0) throw new ConfigError(`auditFile: '${path}' does not end with a checkpoint.`);
    if (end < tail.length) {
      ftruncateSync(descriptor, start + end);
      fsyncSync(descriptor);
    }
    const last = tail.slice(ends.at(-2) ?? 0, end);
    const file = new AppendFile(path, descriptor, operations);
    return {
      last: last === '' ? undefined : Buffer.from(last, 'latin1').toString('utf8').slice(0, -1),
      append: (note) => file.append(Buffer.from(`${note}\n`)),
      close: () => file.close(),
    };
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/** A note ends with its signatures and a blank line. A signature begins with a dash, which is three bytes in UTF-8. */
function endsOfNotes(tail: string): number[] {
  return [...tail.matchAll(/^\u00e2\u0080\u0094 .*\n\n/gm)].map(({ 0: text, index }) => index + text.length);
}
