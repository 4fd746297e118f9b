import { eachInTurn, type Turns } from '@countersign/common';
import type { DetailedError, PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';
import { type LimitFlaw, limitFlawOf } from '../text/limit-flaw.js';
import { mightReadLimits } from '../text/trend.js';
import type { Cedar } from '../instance/instance.js';
import { headFromJson, type PolicyHead, readHead } from '../text/policy-head.js';
import type { Shapes } from '../text/policy-shape.js';
import { scopesInJson, scopesInText } from '../text/scope-vocabulary.js';

/** The facts about one policy text that Cedar has accepted. */
export interface PolicyReading extends PolicyHead {
  /** String literals of its conditions that could be delegated scopes. */
  readonly scopes: readonly string[];
  /** How more history or further limits in `authorizationDetails` could lead to a permit. */
  readonly limitFlaw: LimitFlaw | undefined;
}

/** By the text of the policy. */
export type PolicyReadings = ReadonlyMap<string, PolicyReading>;

/** Policies in one call: it blocks the event loop for about 30 µs for each of them, and has a fixed cost. */
const BATCH_SIZE = 50;

/** The reading of a policy, or Cedar's errors. */
export type ReadResult = PolicyReading | readonly DetailedError[];

/**
 * Reads texts of single policies. Cedar parses the first policy of each shape, on behalf of the whole group. Cedar's JSON
 * takes ten times as long as the check, and is used only for text that our own reader does not support.
 */
export async function readPolicies(
  cedar: Cedar,
  texts: Iterable<string>,
  shapes: Shapes,
  turns: Turns,
): Promise<ReadonlyMap<string, ReadResult>> {
  const found = new Map<string, ReadResult>();
  const groups = await shapes.group(texts, (text) => text, turns);
  for (let start = 0; start < groups.length; start += BATCH_SIZE) {
    const batch = groups.slice(start, start + BATCH_SIZE);
    const firsts = batch.map(([first]) => first);
    const read = areAccepted(cedar, firsts) ? readByText : readByJson;
    await turns();
    for (const [text, ...others] of batch) {
      const first = read(cedar, text);
      found.set(text, first);
      await eachInTurn(others, turns, (other) => found.set(other, readSameShape(cedar, other, first)));
    }
  }
  return found;
}

/** Policies of one shape have equal literals and read history and details alike, so that only the head is read. */
function readSameShape(cedar: Cedar, text: string, first: ReadResult): ReadResult {
  const plain = isFault(first) ? undefined : readHead(text);
  if (plain === undefined || isFault(first)) return readByJson(cedar, text);
  const { scopes, limitFlaw } = first;
  return { ...plain.head, scopes, limitFlaw };
}

export function isFault(read: ReadResult): read is readonly DetailedError[] {
  return Array.isArray(read);
}

/** Whether Cedar accepts the texts and splits them into the same policies. */
function areAccepted(cedar: Cedar, texts: readonly string[]): boolean {
  const answer = cedar.policySetTextToParts(texts.join('\n'));
  if (answer.type === 'failure' || answer.policy_templates.length > 0) return false;
  const [found, expected] = [answer.policies.toSorted(), texts.toSorted()];
  return found.length === expected.length && found.every((text, index) => text === expected[index]);
}

function readByText(cedar: Cedar, text: string): ReadResult {
  const plain = readHead(text);
  const scopes = plain && scopesInText(plain.body);
  if (plain === undefined || scopes === undefined) return readByJson(cedar, text);
  if (mightReadLimits(plain.body)) return readByJson(cedar, text);
  return { ...plain.head, scopes, limitFlaw: undefined };
}

function readByJson(cedar: Cedar, text: string): ReadResult {
  const answer = cedar.policyToJson(text);
  return answer.type === 'failure' ? answer.errors : readingOf(answer.json);
}

function readingOf(json: PolicyJson): PolicyReading {
  return {
    ...headFromJson(json),
    scopes: scopesInJson(json),
    limitFlaw: limitFlawOf(json),
  };
}
