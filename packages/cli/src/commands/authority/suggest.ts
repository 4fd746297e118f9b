import { createHash } from 'node:crypto';
import { type JsonObject, member } from '@countersign/common';
import { CliError, exitCodes } from '../../cli-error.js';
import type { Io } from '../../io.js';
import { printable } from '../../text.js';
import { type AdminOptions, askAdmin } from './admin-api.js';
import { listOf, objectOf } from './approvals.js';

export interface SuggestOptions extends AdminOptions {
  readonly least: string;
  readonly days: string;
  readonly policies: string;
}

/** Prints, as a diff, policies for what people approved again and again. A person commits it, or nothing changes. */
export async function suggest({ least, days, policies, ...options }: SuggestOptions, io: Io): Promise<void> {
  if (!/^[1-9]\d{0,2}$/.test(least)) throw new CliError('--least must be 1 to 999', exitCodes.usage);
  if (!/^[1-9]\d{0,2}$/.test(days) || Number(days) > 365)
    throw new CliError('--days must be 1 to 365', exitCodes.usage);
  if (!/^[\w./-]+$/.test(policies) || policies.startsWith('/') || policies.split('/').includes('..')) {
    throw new CliError('--policies must be a folder below this one', exitCodes.usage);
  }
  const answer = await askAdmin(options, io, 'GET', `/approvals/suggestions?least=${least}`);
  // Whole days, so that a run later on the same day says the same.
  const end = new Date((Math.floor(io.clock() / 86_400_000) + Number(days)) * 86_400_000);
  const expires = end.toISOString().replace('.000Z', 'Z');
  const diffs = listOf(answer, 'suggestions').flatMap((suggestion) => {
    const file = policyFile(suggestion, expires);
    return file === undefined ? [] : [newFileDiff(`${policies.replace(/\/$/, '')}/${file.name}`, file.text)];
  });
  if (diffs.length === 0) io.err(`Nothing was approved ${least} times, by the same agent for the same user.\n`);
  for (const diff of diffs) io.out(diff);
}

/** Undefined: the resource has a type that no policy can name. */
function policyFile(
  suggestion: JsonObject,
  expires: string,
): { readonly name: string; readonly text: string } | undefined {
  const [subject, resource] = [objectOf(suggestion, 'subject'), objectOf(suggestion, 'resource')];
  const [agent, action] = [String(member(suggestion, 'agent')), String(member(suggestion, 'action'))];
  const type = String(member(resource, 'type'));
  if (!/^[A-Za-z_]\w*(?:::[A-Za-z_]\w*)*$/.test(type)) return undefined;
  const slug = `${agent}-${action}`
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .slice(0, 60);
  const digest = createHash('sha256')
    .update(JSON.stringify([subject, resource, agent, action]))
    .digest('hex');
  const name = `approved-${slug}-${digest.slice(0, 8)}`;
  const text = `// People approved this ${Number(member(suggestion, 'approvals'))} times and never denied it: ${namesOf(suggestion, 'approvers')}.
// Until it expires nobody is asked, whatever the content of the request is. Narrow it if you can.
@id("${name}")
@expires("${expires}")
permit (
  principal == Agent::${cedarText(agent)},
  action == Action::${cedarText(action)},
  resource == ${type}::${cedarText(String(member(resource, 'id')))}
) when {
  ${conditionOf(subject, agent)}
};
`;
  return { name: `${name}.cedar`, text };
}

function conditionOf(subject: JsonObject, agent: string): string {
  const id = String(member(subject, 'id'));
  if (member(subject, 'type') === 'user') {
    return `context has onBehalfOf && context.onBehalfOf == User::${cedarText(id)}`;
  }
  if (id === agent) return '!(context has onBehalfOf) && !(context has onBehalfOfAgent)';
  return `context has onBehalfOfAgent && context.onBehalfOfAgent == Agent::${cedarText(id)}`;
}

/** A string of Cedar. What is not printable is spelt out, so that nobody commits what they do not see. */
function cedarText(text: string): string {
  return `"${printable(text.replaceAll(/["\\]/g, String.raw`\$&`))}"`;
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
