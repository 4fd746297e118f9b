import type { DetailedError } from '@cedar-policy/cedar-wasm/nodejs';
import type { Cedar } from '../instance/instance.js';
import type { Policy } from './policy-set.js';
import type { Shapes } from '../text/policy-shape.js';
import { lineAt } from '../text/policy-text.js';
import { describe } from '../instance/error-text.js';
import type { Schema } from './schema.js';

/** Each call reads the schema anew; thousands of policies in one call take memory that the instance never gives back. */
const AT_ONCE = 1000;

/**
 * What is wrong with the policies by the schema, with file and line. Of policies of one shape the first is validated; all
 * of them, if something is wrong with it.
 */
export function invalid(cedar: Cedar, policies: readonly Policy[], schema: Schema, shapes: Shapes): string[] {
  const groups = shapes.group(policies, ({ text }) => text);
  const faulty: Policy[] = [];
  for (const alike of chunksOf([...groups.values()])) {
    const firsts = alike.map(([first]) => first);
    const places = new Set(findingsOf(cedar, firsts, schema.text).map(({ place }) => place));
    // What no policy is named for may be wrong with any.
    faulty.push(...alike.filter((_each, place) => places.has(place) || places.has(undefined)).flat());
  }
  return chunksOf(faulty).flatMap((some) =>
    findingsOf(cedar, some, schema.text).map((finding) => problem(some, startsOf(some), finding)),
  );
}

function chunksOf<Item>(items: readonly Item[]): (readonly Item[])[] {
  return Array.from({ length: Math.ceil(items.length / AT_ONCE) }, (_chunk, place) =>
    items.slice(place * AT_ONCE, (place + 1) * AT_ONCE),
  );
}

/** What Cedar says of one of some policies, by its place among them; undefined where it names none. */
interface Finding {
  readonly place: number | undefined;
  readonly error: DetailedError;
}

function findingsOf(cedar: Cedar, policies: readonly Policy[], schema: string): Finding[] {
  // As one text, which Cedar reads twice as fast as policies with ids. The ids tell which: policy0, policy1, …
  const staticPolicies = policies.map(({ text }) => text).join('\n');
  const answer = cedar.validate({ schema, policies: { staticPolicies }, validationSettings: { mode: 'strict' } });
  if (answer.type === 'failure') return answer.errors.map((error) => ({ place: undefined, error }));
  // What Cedar only warns of weakens silently: a forbid that can never apply, a name in look-alike letters.
  const found = answer.validationErrors.length > 0 ? answer.validationErrors : answer.validationWarnings;
  return found.map(({ policyId, error }) => ({ place: Number(policyId.slice('policy'.length)), error }));
}

function problem(policies: readonly Policy[], starts: readonly number[], { place, error }: Finding): string {
  const policy = place === undefined ? undefined : policies[place];
  if (place === undefined || policy === undefined) return describe(error);
  const at = Math.max(0, (error.sourceLocations?.[0]?.start ?? 0) - (starts[place] ?? 0));
  // Cedar's words may call the policy by its number.
  const words = describe(error).replaceAll(`\`policy${place}\``, `\`${policy.id}\``);
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
