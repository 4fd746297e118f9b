import { constants, lstatSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { codeOf, ConfigError } from '@countersign/common';
import type { CheckpointWitness } from './witness.js';

const { O_APPEND, O_CREAT, O_NOFOLLOW, O_WRONLY } = constants;

/**
 * Appends each checkpoint to a file, for `verifyLog` to compare with. It is a witness only where whoever can write the
 * log cannot write the file, like on another host's file system. Never through a symbolic link. Its folder is not made:
 * where that is a mount that is missing, nothing may be written beneath it. It is told of at the start, and tried again.
 *
 * @throws ConfigError if there is a symbolic link of that name.
 *
 * @example
 * auditFile('audit', { witnesses: [fileWitness('/mnt/auditors/api-1.checkpoints')] });
 */
export function fileWitness(path: string): CheckpointWitness {
  if (typeof path !== 'string' || path === '') throw new ConfigError('fileWitness: name the file to append to.');
  // What cannot be reached now may be when it is needed.
  if (isLink(path)) throw new ConfigError(`fileWitness: ${linked(path)}`);
  return {
    name: path,
    file: resolve(path),
    async receive(note) {
      const file = await open(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0o644).catch((error: unknown) => {
        if (codeOf(error) === 'ELOOP') throw new Error(linked(path));
        if (codeOf(error) === 'ENOENT') throw new Error(`there is no folder '${dirname(resolve(path))}'. Make it`);
        throw error;
      });
      try {
        await file.writeFile(`${note}\n`);
        await file.sync();
      } finally {
        await file.close();
      }
    },
  };
}

function isLink(path: string): boolean {
  try {
    return lstatSync(path).isSymbolicLink();
  } catch {
    return false;
  }
}

function linked(path: string): string {
  return `'${path}' is a symbolic link, which could lead over another file. Name the file itself.`;
}
