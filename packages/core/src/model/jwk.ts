import { isJsonObject, member, type Reading } from '@countersign/common';

/** A public key as a JSON Web Key (RFC 7517). What is given is checked at run time, whatever its type says. */
export interface PublicJwk {
  readonly kty?: string | undefined;
  readonly crv?: string | undefined;
  readonly x?: string | undefined;
  readonly y?: string | undefined;
  readonly n?: string | undefined;
  readonly e?: string | undefined;
  readonly kid?: string | undefined;
  readonly alg?: string | undefined;
  readonly use?: string | undefined;
  readonly key_ops?: readonly string[] | undefined;
}

/** The keys of a JWK Set (RFC 7517 §5), unread. Importing a key costs enough to bound how many there may be. */
export function keysOfJwkSet(json: unknown, maxKeys: number = 1000): Reading<readonly unknown[]> {
  const keys = isJsonObject(json) ? member(json, 'keys') : undefined;
  if (!Array.isArray(keys)) return { ok: false, problem: "it is not a JWK Set: it has no list of 'keys'" };
  if (keys.length > maxKeys)
    return { ok: false, problem: `it has ${keys.length} keys; at most ${maxKeys} are accepted` };
  return { ok: true, value: keys };
}
