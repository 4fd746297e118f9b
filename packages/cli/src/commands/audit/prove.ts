import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { proveRecord } from '@countersign/audit-verifier';
import { CliError, exitCodes } from '../../cli-error.js';
import type { Io } from '../../io.js';
import { printable } from '../../text.js';
import { readKey, requireLog } from './sources.js';

export interface ProveOptions {
  readonly key?: string;
  readonly out?: string;
}

const problems = {
  not_found: 'there is no such record in the log',
  not_sealed_yet: 'the record is in the log, but no checkpoint of this key covers it yet',
  log_damaged: 'the log is not the one that was sealed: countersign audit verify says where',
} as const;

/** Writes the proof that a record, named by its id or its number, is in the log. */
export async function prove(directory: string, id: string, { key, out }: ProveOptions, io: Io): Promise<void> {
  await requireLog(directory);
  // Whoever checks the proof brings a key of their own, so here the one beside the log will do.
  const verifierKey =
    key === undefined
      ? await readKey(join(directory, 'checkpoint.vkey'), undefined, io)
      : await readKey(key, undefined, io);
  const wanted = /^[1-9][0-9]{0,14}$/.test(id) ? { sequence: Number(id) } : { id };
  const proven = await proveRecord(directory, { key: verifierKey, ...wanted });
  if (!proven.ok) {
    throw new CliError(
      problems[proven.problem],
      proven.problem === 'log_damaged' ? exitCodes.unproven : exitCodes.failed,
    );
  }
  if (out === undefined) return io.out(proven.proof);
  await writeFile(out, proven.proof, { mode: 0o600 });
  io.err(`Proof of record ${proven.sequence}: ${printable(out)}. It holds the record, and no other.\n`);
}
