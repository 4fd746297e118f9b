import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { checkpointsFileName } from '@countersign/audit-verifier';
import { ConfigError } from '@countersign/common';
import { verifierKeyFileName } from '../disk/log-files.js';
import { readIfPresent } from '../disk/regular-file.js';

/**
 * Checks that a folder without segments never held a log: a new log must not hide the loss of an old one. A crash at the
 * first start leaves a key, a lock and an empty file of checkpoints at most.
 *
 * @throws ConfigError if there was a log.
 */
export function checkNewLog(directory: string): void {
  const checkpoints = readIfPresent(join(directory, checkpointsFileName))?.toString('latin1') ?? '';
  const sealed = [...checkpoints.matchAll(/^(\d+)\n[A-Za-z\d+/]{43}=\n\n/gm)].at(-1)?.[1];
  if (sealed !== undefined) throw gone(directory, `records 1 to ${sealed} were sealed`);
  if (checkpoints !== '') throw gone(directory, `there is a '${checkpointsFileName}'`);
  if (existsSync(join(directory, verifierKeyFileName))) throw gone(directory, `there is a '${verifierKeyFileName}'`);
}

function gone(directory: string, but: string): ConfigError {
  return new ConfigError(
    `auditFile: '${directory}' holds no records, but ${but}: the log that was here is gone. Put its segments back. ` +
      'If you have none, find out who removed them, and begin a new log in another folder.',
  );
}
