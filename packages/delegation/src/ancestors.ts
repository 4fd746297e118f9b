import { type Confirmation, isBase64urlOf32Bytes } from './confirmation.js';
import { isIdentifier, isStringOrUri } from './identifier.js';
import { isJsonObject, member } from './json.js';
import { type DelegationRefusal, refuse } from './refusal.js';

/**
 * A delegation that a token was made from, under the names by which it can be revoked. It has at least one of them. With
 * `keyId` alone: the key with which the agent got a token that is bound to another.
 */
export interface Ancestor {
  /** `iss`. Absent: the issuer of the token that lists it. */
  readonly issuer?: string;
  /** `jti` */
  readonly delegationId?: string;
  /** `jkt`: RFC 7638 thumbprint of the key to which it was bound. No proof of that key is presented. */
  readonly keyId?: string;
}

/** Two for each agent of the longest chain, a sign-in, and some for exchanges of an agent with itself. */
export const maxAncestors = 40;

/** Reads an `ancestors` claim. An ancestor that could not be read could not be revoked. */
export function readAncestors(
  value: unknown,
  token: { readonly issuer: string },
): { readonly ok: true; readonly ancestors: readonly Ancestor[] } | DelegationRefusal<'ancestors_malformed'> {
  if (!Array.isArray(value) || value.length === 0 || value.length > maxAncestors) return refuse('ancestors_malformed');
  const ancestors = value.map((one: unknown) => readAncestor(one, token));
  return ancestors.every((one) => one !== undefined) ? { ok: true, ancestors } : refuse('ancestors_malformed');
}

function readAncestor(value: unknown, token: { readonly issuer: string }): Ancestor | undefined {
  if (!isJsonObject(value)) return undefined;
  const [issuer, delegationId, keyId] = [member(value, 'iss'), member(value, 'jti'), member(value, 'jkt')];
  if (issuer !== undefined && !isStringOrUri(issuer)) return undefined;
  if (delegationId !== undefined && !isIdentifier(delegationId)) return undefined;
  if (keyId !== undefined && !isBase64urlOf32Bytes(keyId)) return undefined;
  if (issuer === undefined && delegationId === undefined && keyId === undefined) return undefined;
  return {
    ...(issuer !== undefined && issuer !== token.issuer && { issuer }),
    ...(delegationId !== undefined && { delegationId }),
    ...(keyId !== undefined && { keyId }),
  };
}

/** The claims of a token that is exchanged. */
interface Exchanged {
  readonly id?: string;
  readonly confirmation?: Confirmation;
  readonly ancestors?: readonly Ancestor[];
}

/**
 * The ancestors of what the same issuer makes of a token: the token, then its own. Write them with `ancestorsClaim`.
 */
export function ancestorsByExchange({ id, confirmation, ancestors = [] }: Exchanged): readonly Ancestor[] {
  if (id === undefined && confirmation === undefined) return ancestors;
  const token = {
    ...(id !== undefined && { delegationId: id }),
    ...(confirmation !== undefined && { keyId: confirmation.jkt }),
  };
  return [token, ...ancestors];
}

/** The members of a token that list its ancestors. */
export function ancestorsClaim(ancestors: readonly Ancestor[]): { readonly ancestors?: readonly object[] } {
  if (ancestors.length === 0) return {};
  const claim = ancestors.map(({ issuer, delegationId, keyId }) => ({
    ...(issuer !== undefined && { iss: issuer }),
    ...(delegationId !== undefined && { jti: delegationId }),
    ...(keyId !== undefined && { jkt: keyId }),
  }));
  return { ancestors: claim };
}
