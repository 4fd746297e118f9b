import { checkPolicies, type PolicyCheck, type PolicyFinding } from '@countersign/core';
import { exitCodes } from '../../cli-error.js';
import { type Colours, coloursFor, type Io } from '../../io.js';
import { printable, printableJson } from '../../text.js';
import { countText, wrapText } from './lines.js';
import { withCliErrors } from './load.js';

export interface CheckOptions {
  readonly strict: boolean;
  readonly json: boolean;
}

/** Reports the findings of a folder of policies. Returns the exit code. */
export async function check(folder: string, { strict, json }: CheckOptions, io: Io): Promise<number> {
  const checked = await withCliErrors(() => checkPolicies(folder));
  const failing = checked.findings.filter(({ severity }) => strict || severity === 'error');
  const ok = failing.length === 0;
  io.out(json ? `${printableJson({ ...checked, ok })}\n` : asText(checked, coloursFor(io.colour.out)));
  return ok ? exitCodes.ok : exitCodes.unproven;
}

function asText({ policies, findings }: PolicyCheck, colours: Colours): string {
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  const counts = `${countText(errors, 'error')}, ${countText(findings.length - errors, 'warning')}`;
  const summary = policies === 0 ? 'The policies cannot be put in force' : countText(policies, 'policy', 'policies');
  const verdict = findings.length === 0 ? `${summary}, nothing found.` : `${summary}: ${counts}.`;
  const colour = errors > 0 ? colours.red : findings.length > 0 ? colours.yellow : colours.green;
  return `${findings.map((finding) => findingLines(finding, colours)).join('')}${colour(verdict)}\n`;
}

function findingLines({ severity, code, message, file, line, policy }: PolicyFinding, colours: Colours): string {
  const place = file === undefined ? '' : `${printable(file)}:${line}: `;
  const label = (severity === 'error' ? colours.red : colours.yellow)(severity);
  const name = policy === undefined ? '' : ` ${printable(policy)}`;
  return `${place}${label}: ${code}${name}\n${wrapText(message, '    ')}`;
}
