import { join } from 'node:path';
import { proveRecord } from '@countersign/audit-verifier';
import { CliError, exitCodes } from '../../cli-error.js';
import type { Io } from '../../io.js';
import { printable } from '../../text.js';
import { writePrivateFile } from '../private-file.js';
import { readKey, requireLog } from './sources.js';

export interface ProveOptions {
  readonly key?: string;
  readonly out?: string;
  readonly force: boolean;
}

const problems = {
  not_found: 'there is no such record in the log',
  not_sealed_yet: 'the record is in the log, but no checkpoint of this key covers it yet',
  log_damaged: 'the log is not the one that was sealed: countersign audit verify says where',
} as const;

/** Writes the proof that a record, named by its id or its number, is in the log. */
export async function prove(directory: string, id: string, { key, out, force }: ProveOptions, io: Io): Promise<void> {
  await requireLog(directory);
  // The key beside the log is enough here, because the verifier of the proof uses its own key.
  const verifierKey = await readKey(key ?? join(directory, 'checkpoint.vkey'), undefined, io);
  const wanted = /^[1-9][0-9]{0,14}$/.test(id) ? { sequence: Number(id) } : { id };
  const proven = await proveRecord(directory, { key: verifierKey, ...wanted });
  if (!proven.ok) {
    throw new CliError(
      problems[proven.problem],
      proven.problem === 'log_damaged' ? exitCodes.unproven : exitCodes.failed,
    );
  }
  if (out === undefined) return io.out(proven.proof);
  await writePrivateFile(out, proven.proof, { overwrite: force, holds: 'what it holds' });
  io.err(`Proof of record ${proven.sequence}: ${printable(out)}. It holds the record, and no other.\n`);
}
