import type { DetailedError, PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';
import { mayPermitByHistory, permitsByHistory } from '../text/history.js';
import type { Cedar } from '../instance/instance.js';
import { headFromJson, type PolicyHead, readHead } from '../text/policy-head.js';
import type { Shapes } from '../text/policy-shape.js';
import { scopesInJson, scopesInText } from '../text/scope-vocabulary.js';

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

/** What is known of a policy, or what Cedar finds wrong with it. */
export type Read = PolicyReading | readonly DetailedError[];

/**
 * Has Cedar judge the texts of single policies: of those of one shape the first, for all of them. Cedar's JSON costs ten
 * times what its judgement does, so that it is asked for only where our own reading stops.
 */
export function readPolicies(cedar: Cedar, texts: readonly string[], shapes: Shapes): ReadonlyMap<string, Read> {
  const found = new Map<string, Read>();
  const groups = [...shapes.group(texts, (text) => text).values()];
  for (let start = 0; start < groups.length; start += AT_ONCE) {
    const some = groups.slice(start, start + AT_ONCE);
    const firsts = some.map(([first]) => first);
    const read = areAccepted(cedar, firsts) ? readAccepted : askCedar;
    for (const alike of some) {
      const first = read(cedar, alike[0]);
      for (const text of alike) found.set(text, text === alike[0] ? first : readAlike(cedar, text, first));
    }
  }
  return found;
}

/** Of one shape are also the literals and whatever reads the history. */
function readAlike(cedar: Cedar, text: string, first: Read): Read {
  const plain = isFault(first) ? undefined : readHead(text);
  if (plain === undefined || isFault(first)) return askCedar(cedar, text);
  const { scopes, byHistory } = first;
  return { ...plain.head, scopes, byHistory };
}

export function isFault(read: Read): read is readonly DetailedError[] {
  return Array.isArray(read);
}

/** Whether Cedar takes the texts, and sees the very same policies in them. */
function areAccepted(cedar: Cedar, texts: readonly string[]): boolean {
  const answer = cedar.policySetTextToParts(texts.join('\n'));
  if (answer.type === 'failure' || answer.policy_templates.length > 0) return false;
  const [seen, meant] = [answer.policies.toSorted(), texts.toSorted()];
  return seen.length === meant.length && seen.every((text, place) => text === meant[place]);
}

function readAccepted(cedar: Cedar, text: string): Read {
  const plain = readHead(text);
  const scopes = plain && scopesInText(plain.body);
  if (plain === undefined || scopes === undefined) return askCedar(cedar, text);
  if (plain.head.effect === 'permit' && mayPermitByHistory(plain.body)) return askCedar(cedar, text);
  return { ...plain.head, scopes, byHistory: false };
}

function askCedar(cedar: Cedar, text: string): Read {
  const answer = cedar.policyToJson(text);
  return answer.type === 'failure' ? answer.errors : readingOf(answer.json);
}

function readingOf(json: PolicyJson): PolicyReading {
  return { ...headFromJson(json), scopes: scopesInJson(json), byHistory: permitsByHistory(json) };
}
