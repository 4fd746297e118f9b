import { isJsonObject, member, type Reading } from '../json/strict-json.js';

const maxKeys = 1000;

/** The keys of a JWK Set (RFC 7517 §5), unread. */
export function keysOfJwkSet(json: unknown): Reading<readonly unknown[]> {
  const keys = isJsonObject(json) ? member(json, 'keys') : undefined;
  if (!Array.isArray(keys)) return { ok: false, problem: "it is not a JWK Set: it has no list of 'keys'" };
  if (keys.length > maxKeys)
    return { ok: false, problem: `it has ${keys.length} keys; at most ${maxKeys} are accepted` };
  return { ok: true, value: keys };
}
