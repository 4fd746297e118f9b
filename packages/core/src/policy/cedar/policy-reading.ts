import type { DetailedError, PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';
import { mayPermitByHistory, permitsByHistory } from './history.js';
import type { Cedar } from './instance.js';
import { headFromJson, type PolicyHead, readHead } from './policy-head.js';
import { scopesInJson, scopesInText } from './scope-vocabulary.js';

/** What is known of the text of one policy that Cedar has accepted. */
export interface PolicyReading extends PolicyHead {
  /** Literals of its conditions that could be scopes. */
  readonly scopes: readonly string[];
  readonly byHistory: boolean;
}

/** By the text of the policy. */
export type PolicyReadings = ReadonlyMap<string, PolicyReading>;

/** Cedar's time for one text grows with the square of its policies; for each call there is a price too. */
const AT_ONCE = 200;

/**
 * Has Cedar judge the texts of single policies. Of each comes what is known of it, or what Cedar finds wrong with it.
 * Cedar's JSON costs ten times what its judgement does, so that it is asked for only where our own reading stops.
 */
export function readPolicies(
  cedar: Cedar,
  texts: readonly string[],
): Map<string, PolicyReading | readonly DetailedError[]> {
  const found = new Map<string, PolicyReading | readonly DetailedError[]>();
  for (let start = 0; start < texts.length; start += AT_ONCE) {
    const some = texts.slice(start, start + AT_ONCE);
    const read = areAccepted(cedar, some) ? readAccepted : askCedar;
    for (const text of some) found.set(text, read(cedar, text));
  }
  return found;
}

/** Whether Cedar takes the texts, and sees the very same policies in them. */
function areAccepted(cedar: Cedar, texts: readonly string[]): boolean {
  const answer = cedar.policySetTextToParts(texts.join('\n'));
  if (answer.type === 'failure' || answer.policy_templates.length > 0) return false;
  const [seen, meant] = [answer.policies.toSorted(), texts.toSorted()];
  return seen.length === meant.length && seen.every((text, place) => text === meant[place]);
}

function readAccepted(cedar: Cedar, text: string): PolicyReading | readonly DetailedError[] {
  const plain = readHead(text);
  const scopes = plain && scopesInText(plain.body);
  if (plain === undefined || scopes === undefined) return askCedar(cedar, text);
  if (plain.head.effect === 'permit' && mayPermitByHistory(plain.body)) return askCedar(cedar, text);
  return { ...plain.head, scopes, byHistory: false };
}

function askCedar(cedar: Cedar, text: string): PolicyReading | readonly DetailedError[] {
  const answer = cedar.policyToJson(text);
  return answer.type === 'failure' ? answer.errors : readingOf(answer.json);
}

function readingOf(json: PolicyJson): PolicyReading {
  return { ...headFromJson(json), scopes: scopesInJson(json), byHistory: permitsByHistory(json) };
}
