import { createHash } from 'node:crypto';
import { readRequirement } from '@countersign/approval';
import { type JsonObject, member } from '@countersign/common';
import { type ApprovedCall, narrowPermit } from '@countersign/core';
import { CliError, exitCodes } from '../../cli-error.js';
import type { Io } from '../../io.js';
import { printable, show } from '../../text.js';
import { type AdminOptions, askAdmin } from './admin-api.js';
import { loadPolicies } from '../policy/load.js';
import { listOf, objectOf } from './approvals.js';

export interface SuggestOptions extends AdminOptions {
  readonly audience: string;
  readonly least: string;
  readonly days: string;
  readonly policies: string;
}

/**
 * Prints, as a diff, policies for what people approved again and again. Each keeps the conditions of the permits of this
 * folder that asked. A person commits it, or nothing changes. Policies of two APIs may have the same names, so the audience
 * says which API the folder is of.
 */
export async function suggest(
  { audience, least, days, policies: folder, ...options }: SuggestOptions,
  io: Io,
): Promise<void> {
  if (!/^[1-9]\d{0,2}$/.test(least)) throw new CliError('--least must be 1 to 999', exitCodes.usage);
  if (!/^[1-9]\d{0,2}$/.test(days) || Number(days) > 365)
    throw new CliError('--days must be 1 to 365', exitCodes.usage);
  if (!/^[\w./-]+$/.test(folder) || folder.startsWith('/') || folder.split('/').includes('..')) {
    throw new CliError('--policies must be a folder below this one', exitCodes.usage);
  }
  const answer = await askAdmin(options, io, 'GET', `/approvals/suggestions?least=${least}`);
  const all = listOf(answer, 'suggestions');
  const suggestions = all.filter((suggestion) => member(suggestion, 'audience') === audience);
  if (suggestions.length === 0) {
    const elsewhere = [...new Set(all.map((suggestion) => show(member(suggestion, 'audience'))))].join(', ');
    io.err(
      `Nothing was approved ${least} times at ${printable(audience)}, by the same agent for the same user.${elsewhere && ` It was at ${elsewhere}.`}\n`,
    );
    return;
  }
  const { policies } = await loadPolicies(folder);
  // Whole days, so that a run later on the same day says the same.
  const expiresAt = (Math.floor(io.clock() / 86_400_000) + Number(days)) * 86_400;
  for (const suggestion of suggestions) {
    const name = nameOf(suggestion);
    const narrowed = narrowPermit(callOf(suggestion), policies, {
      id: name,
      expiresAt,
      now: Math.floor(io.clock() / 1000),
    });
    if (narrowed.ok) {
      const text = `${commentOf(suggestion, narrowed.value.exceptFor)}${narrowed.value.text}`;
      io.out(newFileDiff(`${folder.replace(/\/$/, '')}/${name}.cedar`, text));
    } else {
      io.err(
        `Not suggested: ${show(member(suggestion, 'action'))} of ${show(member(suggestion, 'agent'))}, since ${printable(narrowed.problem)}.\n`,
      );
    }
  }
}

function callOf(suggestion: JsonObject): ApprovedCall {
  const [subject, resource] = [objectOf(suggestion, 'subject'), objectOf(suggestion, 'resource')];
  const policies = member(suggestion, 'policies');
  const requirement = readRequirement(member(suggestion, 'requirement'));
  if (!requirement.ok) throw new CliError('the authority does not say what was demanded of the people: update it');
  return {
    agent: String(member(suggestion, 'agent')),
    action: String(member(suggestion, 'action')),
    resource: { type: String(member(resource, 'type')), id: String(member(resource, 'id')) },
    subject: { type: member(subject, 'type') === 'user' ? 'user' : 'agent', id: String(member(subject, 'id')) },
    hops: Number(member(suggestion, 'hops')),
    possession: member(suggestion, 'possession') === 'local' ? 'local' : 'signature',
    policies: Array.isArray(policies) ? policies.map(String) : [],
    requirement: requirement.value,
  };
}

function nameOf(suggestion: JsonObject): string {
  const { agent, action, subject, resource, hops, possession, policies } = callOf(suggestion);
  const audience = member(suggestion, 'audience');
  const slug = `${agent}-${action}`
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 60);
  const digest = createHash('sha256')
    .update(JSON.stringify([subject, resource, agent, action, hops, possession, audience, policies.toSorted()]))
    .digest('hex');
  return `approved-${slug}-${digest.slice(0, 8)}`;
}

function commentOf(suggestion: JsonObject, exceptFor: readonly string[]): string {
  return [
    `At ${show(member(suggestion, 'audience'))}, people approved this ${show(member(suggestion, 'approvals'))} times and never denied it: ${namesOf(suggestion, 'approvers')}.`,
    `Its conditions are those of ${namesOf(suggestion, 'policies')}, which asked. A later change there does not change them here.`,
    ...(exceptFor.length === 0
      ? []
      : [`People are still asked where ${exceptFor.map(printable).join(', ')} asks, too.`]),
    'Until it expires nobody is asked, whatever the content of the request is. Narrow it if you can.',
  ]
    .map((line) => `// ${line}\n`)
    .join('');
}

/** In a comment, so on one line. */
function namesOf(suggestion: JsonObject, name: string): string {
  const names = member(suggestion, name);
  return Array.isArray(names) ? names.map((each) => printable(String(each))).join(', ') : '';
}

function newFileDiff(path: string, text: string): string {
  const lines = text.trimEnd().split('\n');
  return `diff --git a/${path} b/${path}
new file mode 100644
--- /dev/null
+++ b/${path}
@@ -0,0 +1,${lines.length} @@
${lines.map((line) => `+${line}`).join('\n')}
`;
}
