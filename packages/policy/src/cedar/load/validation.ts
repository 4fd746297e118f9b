import type { Turns } from '@countersign/common';
import type { DetailedError } from '@cedar-policy/cedar-wasm/nodejs';
import type { Cedar } from '../instance/instance.js';
import type { Policy } from './policy-set.js';
import type { Shapes } from '../text/policy-shape.js';
import { lineAt } from '../text/policy-text.js';
import { errorText } from '../instance/error-text.js';
import type { Schema } from './schema.js';

/** Policies in one call: every call parses the schema again, but a call blocks the event loop. */
const BATCH_SIZE = 50;

/**
 * Validates policies against the schema. Returns problems with file and line. Only the first policy of each shape is
 * validated, and the rest of its group if it is invalid, so that each gets its own problem.
 */
export async function validationProblems(
  cedar: Cedar,
  policies: readonly Policy[],
  { schema, shapes, turns }: { readonly schema: Schema; readonly shapes: Shapes; readonly turns: Turns },
): Promise<string[]> {
  const groups = await shapes.group(policies, ({ text }) => text, turns);
  const faulty: Policy[] = [];
  for (const batch of batchesOf(groups)) {
    await turns();
    const firsts = batch.map(([first]) => first);
    const invalid = new Set(findingsOf(cedar, firsts, schema.text).map(({ index }) => index));
    // A finding that names no policy could concern each of them.
    faulty.push(...batch.filter((_group, index) => invalid.has(index) || invalid.has(undefined)).flat());
  }
  const problems: string[] = [];
  for (const batch of batchesOf(faulty)) {
    await turns();
    const starts = startsOf(batch);
    problems.push(...findingsOf(cedar, batch, schema.text).map((finding) => problemText(batch, starts, finding)));
  }
  return problems;
}

function batchesOf<Item>(items: readonly Item[]): (readonly Item[])[] {
  return Array.from({ length: Math.ceil(items.length / BATCH_SIZE) }, (_batch, index) =>
    items.slice(index * BATCH_SIZE, (index + 1) * BATCH_SIZE),
  );
}

/** A validation error, with the index of its policy; undefined if Cedar names none. */
interface Finding {
  readonly index: number | undefined;
  readonly error: DetailedError;
}

function findingsOf(cedar: Cedar, policies: readonly Policy[], schema: string): Finding[] {
  // Cedar parses one text twice as fast as policies with ids. It calls them policy0, policy1, …
  const staticPolicies = policies.map(({ text }) => text).join('\n');
  const answer = cedar.validate({ schema, policies: { staticPolicies }, validationSettings: { mode: 'strict' } });
  if (answer.type === 'failure') return answer.errors.map((error) => ({ index: undefined, error }));
  // Warnings count as errors: a forbid that can never apply, or a name in look-alike letters, weakens silently.
  const found = answer.validationErrors.length > 0 ? answer.validationErrors : answer.validationWarnings;
  return found.map(({ policyId, error }) => ({ index: Number(policyId.slice('policy'.length)), error }));
}

function problemText(policies: readonly Policy[], starts: readonly number[], { index, error }: Finding): string {
  const policy = index === undefined ? undefined : policies[index];
  if (index === undefined || policy === undefined) return errorText(error);
  const at = Math.max(0, (error.sourceLocations?.[0]?.start ?? 0) - (starts[index] ?? 0));
  // Cedar's text may contain its own id of the policy.
  const words = errorText(error).replaceAll(`\`policy${index}\``, `\`${policy.id}\``);
  return `${policy.file}:${lineAt(policy.text, at, policy.line)}: ${words}`;
}

/** The byte offset of each policy in the joined text. */
function startsOf(policies: readonly Policy[]): number[] {
  let next = 0;
  return policies.map(({ text }) => {
    const start = next;
    next += Buffer.byteLength(text) + 1;
    return start;
  });
}
