import { checkPolicies, type PolicyCheck, type PolicyFinding } from '@countersign/core';
import { exitCodes } from '../../cli-error.js';
import { type Colours, coloursFor, type Io } from '../../io.js';
import { printable, printableJson } from '../../text.js';
import { counted, wrapped } from './lines.js';
import { orCliError } from './load.js';

export interface CheckOptions {
  readonly strict: boolean;
  readonly json: boolean;
}

/** Says what is wrong with a folder of policies. Returns the exit code. */
export async function check(folder: string, { strict, json }: CheckOptions, io: Io): Promise<number> {
  const checked = await orCliError(() => checkPolicies(folder));
  const bad = checked.findings.filter(({ severity }) => strict || severity === 'error');
  const ok = bad.length === 0;
  io.out(json ? `${printableJson({ ...checked, ok })}\n` : inWords(checked, coloursFor(io.colour.out)));
  return ok ? exitCodes.ok : exitCodes.unproven;
}

function inWords({ policies, findings }: PolicyCheck, colours: Colours): string {
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  const counts = `${counted(errors, 'error')}, ${counted(findings.length - errors, 'warning')}`;
  const read = policies === 0 ? 'The policies cannot be put in force' : counted(policies, 'policy', 'policies');
  const verdict = findings.length === 0 ? `${read}, nothing found.` : `${read}: ${counts}.`;
  const colour = errors > 0 ? colours.red : findings.length > 0 ? colours.yellow : colours.green;
  return `${findings.map((finding) => findingLines(finding, colours)).join('')}${colour(verdict)}\n`;
}

function findingLines({ severity, code, message, file, line, policy }: PolicyFinding, colours: Colours): string {
  const place = file === undefined ? '' : `${printable(file)}:${line}: `;
  const label = (severity === 'error' ? colours.red : colours.yellow)(severity);
  const name = policy === undefined ? '' : ` ${printable(policy)}`;
  return `${place}${label}: ${code}${name}\n${wrapped(message, '    ')}`;
}
