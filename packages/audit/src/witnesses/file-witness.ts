import { constants, lstatSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { codeOf, ConfigError } from '@countersign/common';
import type { CheckpointWitness } from './witness.js';

const { O_APPEND, O_CREAT, O_NOFOLLOW, O_WRONLY } = constants;

/**
 * Appends each checkpoint to a file, which `verifyLog` compares with the log. It proves something only if whoever can
 * write the log cannot rewrite the file: put it on another host's file system, or let another user commit it to git
 * (docs/reference/audit-log.md). The folder is not created, since it may be a mount that is missing; this is reported and retried.
 *
 * @throws ConfigError if the path is a symbolic link.
 *
 * @example
 * auditFile('audit', { witnesses: [fileWitness('/mnt/auditors/api-1.checkpoints')] });
 */
export function fileWitness(path: string): CheckpointWitness {
  if (typeof path !== 'string' || path === '') throw new ConfigError('fileWitness: name the file to append to.');
  // Other errors are no reason to stop: the folder may be mounted later.
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
