import { SignatureError } from './errors.js';
import { parseDictionary } from './structured-fields/parse.js';
import { serializeDictionary } from './structured-fields/serialize.js';
import { isInnerList, type Item, NO_PARAMETERS } from './structured-fields/types.js';

/** Algorithm to preference, 0 (not acceptable) to 10 (most preferred). */
export type DigestPreferences = ReadonlyMap<string, number>;

/**
 * The value of a Want-Content-Digest field (RFC 9530 §4).
 *
 * @example formatWantContentDigest({ 'sha-512': 3, 'sha-256': 10 }) // 'sha-512=3, sha-256=10'
 * @throws SignatureError `argument` if a preference is not an integer from 0 to 10
 */
export function formatWantContentDigest(preferences: Readonly<Record<string, number>>): string {
  const members = new Map<string, Item>();
  for (const [algorithm, value] of Object.entries(preferences)) {
    if (!isPreference(value)) throw new SignatureError('argument', `${algorithm}: a preference is 0 to 10`);
    members.set(algorithm, { value: { type: 'integer', value }, parameters: NO_PARAMETERS });
  }
  return serializeDictionary(members);
}

/** Reads a Want-Content-Digest value; unknown algorithms are kept; the caller ignores them. */
export function parseWantContentDigest(
  value: string,
): { readonly ok: true; readonly preferences: DigestPreferences } | { readonly ok: false; readonly detail: string } {
  const parsed = parseDictionary(value, { duplicates: 'refuse' });
  if (!parsed.ok) return { ok: false, detail: parsed.problem.detail };
  const preferences = new Map<string, number>();
  for (const [algorithm, member] of parsed.value) {
    if (isInnerList(member) || member.value.type !== 'integer' || !isPreference(member.value.value)) {
      return { ok: false, detail: 'a preference is not an Integer from 0 to 10' };
    }
    preferences.set(algorithm, member.value.value);
  }
  return { ok: true, preferences };
}

function isPreference(value: number): boolean {
  return Number.isInteger(value) && value >= 0 && value <= 10;
}
