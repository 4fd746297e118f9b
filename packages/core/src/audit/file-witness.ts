import { appendFile } from 'node:fs/promises';
import { ConfigError } from '../config-error.js';
import type { CheckpointWitness } from './witness.js';

/**
 * Appends each checkpoint to a file, for `verifyLog` to compare with. It is a witness only where whoever can write the
 * log cannot write the file: on another host's file system, or in a git repository that is pushed.
 *
 * @example
 * auditFile('audit', { witnesses: [fileWitness('/mnt/auditors/api-1.checkpoints')] });
 */
export function fileWitness(path: string): CheckpointWitness {
  if (typeof path !== 'string' || path === '') throw new ConfigError('fileWitness: name the file to append to.');
  return {
    name: path,
    receive: (note) => appendFile(path, `${note}\n`, { flush: true, mode: 0o644 }),
  };
}
