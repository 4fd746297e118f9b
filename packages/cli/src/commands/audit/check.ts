import { readFile } from 'node:fs/promises';
import { type CheckedProof, checkProof } from '@countersign/audit-verifier';
import { CliError, exitCodes } from '../../cli-error.js';
import { coloursFor, type Io } from '../../io.js';
import { printable, printableJson } from '../../text.js';
import { readKey } from './sources.js';

export interface CheckOptions {
  readonly key: string;
  readonly json: boolean;
}

const problems = {
  malformed: 'The file is no proof.',
  wrong_key: 'The checkpoint in the proof is not signed by this key.',
  wrong_signature: 'The checkpoint in the proof was changed after it was signed.',
  not_included: 'The record in the proof is not in the log that was sealed: it, or the proof, was changed.',
} as const;

/** Checks a proof that a record was in a log, with the key alone. Returns the exit code. */
export async function check(file: string, { key, json }: CheckOptions, io: Io): Promise<number> {
  const verifierKey = await readKey(key, undefined, io);
  const proof = file === '-' ? Buffer.from(await io.stdin()).toString('utf8') : await readProof(file);
  const checked = checkProof(proof, verifierKey);
  io.out(json ? `${printableJson(facts(checked))}\n` : inWords(checked, io));
  return checked.ok ? exitCodes.ok : exitCodes.unproven;
}

async function readProof(file: string): Promise<string> {
  try {
    return await readFile(file, 'utf8');
  } catch {
    throw new CliError(`the proof cannot be read: ${file}`);
  }
}

function inWords(checked: CheckedProof, io: Io): string {
  const { green, red } = coloursFor(io.colour.out);
  if (!checked.ok) return `${red(problems[checked.problem])}\n`;
  const { origin, size } = checked.checkpoint;
  const which = size === 1 ? 'the one' : `one of the ${size}`;
  return `${green(`This record is ${which} that ${printable(origin)} has sealed:`)}\n${printableJson(checked.record ?? checked.line)}\n`;
}

function facts(checked: CheckedProof): object {
  if (!checked.ok) return { ok: false, problem: checked.problem };
  const { record, line, checkpoint } = checked;
  return { ok: true, record, line, checkpoint: { ...checkpoint, root: checkpoint.root.toString('base64') } };
}
