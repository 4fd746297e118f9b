import type { DetailedError } from '@cedar-policy/cedar-wasm/nodejs';
import type { Cedar } from './instance.js';
import type { Policy } from './policy-set.js';
import { lineAt } from './policy-text.js';
import { describe } from './problem.js';

/** Each call reads the schema anew; thousands of policies in one call take memory that the instance never gives back. */
const AT_ONCE = 1000;

/** What is wrong with the policies by the schema, with file and line. */
export function invalid(cedar: Cedar, policies: readonly Policy[], schema: string): string[] {
  const problems: string[] = [];
  for (let start = 0; start < policies.length; start += AT_ONCE) {
    problems.push(...invalidOf(cedar, policies.slice(start, start + AT_ONCE), schema));
  }
  return problems;
}

function invalidOf(cedar: Cedar, policies: readonly Policy[], schema: string): string[] {
  // As one text, which Cedar reads twice as fast as policies with ids. The ids tell which: policy0, policy1, …
  const staticPolicies = policies.map(({ text }) => text).join('\n');
  const answer = cedar.validate({ schema, policies: { staticPolicies }, validationSettings: { mode: 'strict' } });
  if (answer.type === 'failure') return answer.errors.map((error) => describe(error));
  // What Cedar only warns of weakens silently: a forbid that can never apply, a name in look-alike letters.
  const found = answer.validationErrors.length > 0 ? answer.validationErrors : answer.validationWarnings;
  if (found.length === 0) return [];
  const starts = startsOf(policies);
  return found.map(({ policyId, error }) => problem(policies, starts, policyId, error));
}

function problem(
  policies: readonly Policy[],
  starts: readonly number[],
  policyId: string,
  error: DetailedError,
): string {
  const place = Number(policyId.slice('policy'.length));
  const policy = policies[place];
  if (policy === undefined) return `${policyId}: ${describe(error)}`;
  const at = Math.max(0, (error.sourceLocations?.[0]?.start ?? 0) - (starts[place] ?? 0));
  // Cedar's words may call the policy by its number.
  const words = describe(error).replaceAll(`\`${policyId}\``, `\`${policy.id}\``);
  return `${policy.file}:${lineAt(policy.text, at, policy.line)}: ${words}`;
}

/** Where each policy starts in the one text, in bytes. */
function startsOf(policies: readonly Policy[]): number[] {
  let next = 0;
  return policies.map(({ text }) => {
    const start = next;
    next += Buffer.byteLength(text) + 1;
    return start;
  });
}
