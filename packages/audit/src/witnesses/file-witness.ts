import { constants, lstatSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { codeOf, ConfigError } from '@countersign/common';
import type { CheckpointWitness } from './witness.js';

const { O_APPEND, O_CREAT, O_NOFOLLOW, O_NONBLOCK, O_WRONLY } = constants;

/**
 * Appends each checkpoint to a file, which `verifyLog` compares with the log. It proves something only if whoever can
 * write the log cannot rewrite the file: put it on another host's file system, or let another user commit it to git
 * (docs/reference/audit-log.md). The folder is not created, since it may be a mount that is missing; this is reported and retried.
 *
 * @throws ConfigError if the path is a symbolic link, or no regular file.
 *
 * @example
 * auditFile('audit', { witnesses: [fileWitness('/mnt/auditors/api-1.checkpoints')] });
 */
export function fileWitness(path: string): CheckpointWitness {
  if (typeof path !== 'string' || path === '') throw new ConfigError('fileWitness: name the file to append to.');
  const file = resolve(path);
  checkFile(file);
  return {
    name: path,
    file,
    async receive(note) {
      // Without O_NONBLOCK the opening of a pipe waits for a reader.
      const flags = O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK;
      const handle = await open(file, flags, 0o644).catch((error: unknown) => {
        // Of a link, and of a pipe that nobody reads.
        if (['ELOOP', 'ENXIO'].includes(codeOf(error))) throw new Error(notRegular(file));
        if (codeOf(error) === 'ENOENT') throw new Error(`there is no folder '${dirname(file)}'. Make it`);
        throw error;
      });
      try {
        if (!(await handle.stat()).isFile()) throw new Error(notRegular(file));
        await handle.writeFile(`${note}\n`);
        await handle.sync();
      } finally {
        await handle.close();
      }
    },
  };
}

/** Other errors are no reason to stop: the folder may be mounted later. */
function checkFile(file: string): void {
  let isOther: boolean;
  try {
    isOther = !lstatSync(file).isFile();
  } catch {
    return;
  }
  if (isOther) throw new ConfigError(`fileWitness: ${notRegular(file)}`);
}

function notRegular(file: string): string {
  return `'${file}' is not a regular file but a link, a pipe or a device. Name the file itself.`;
}
