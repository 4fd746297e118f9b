import { type Actor, readActor } from './actor.js';
import { type Confirmation, readConfirmation } from './confirmation.js';
import { isIdentifier, isStringOrUri } from './identifier.js';
import { isJsonObject, member } from './json.js';
import { type ClaimsRefusalCode, type DelegationRefusal, refuse } from './refusal.js';
import { parseScope, type Scope } from './scope.js';

const MAX_AUDIENCES = 16;

/** The claims of a token (RFC 9068 §2.2, RFC 8693 §4.1), read strictly. Times are whole unix seconds. */
export interface DelegationClaims {
  /** `iss` */
  readonly issuer: string;
  /** `sub`: on whose behalf the actor acts, or the agent itself where there is no actor. */
  readonly subject: string;
  /** `aud`, always as a list of at least one. */
  readonly audience: readonly string[];
  /** `exp` */
  readonly expiresAt: number;
  /** `iat` */
  readonly issuedAt?: number;
  /** `nbf` */
  readonly notBefore?: number;
  /** `jti`: the id of the delegation. */
  readonly id?: string;
  /** `client_id` */
  readonly clientId?: string;
  /** `scope`; empty only where the token has none, which gives a delegate nothing. */
  readonly scope: Scope;
  /** `act` */
  readonly actor?: Actor;
  /** `cnf` */
  readonly confirmation?: Confirmation;
}

/**
 * Reads the payload of a token **whose signature has been verified already**. Each claim must have exactly its type;
 * nothing is coerced. `may_act` says who could become the actor (RFC 8693 §4.4), not who is, and is never read.
 * Never throws on a JSON value.
 *
 * @example
 * const read = readClaims(payload);
 * if (!read.ok) return read.code;
 * read.claims.actor?.subject; // the agent
 */
export function readClaims(
  payload: unknown,
): { readonly ok: true; readonly claims: DelegationClaims } | DelegationRefusal<ClaimsRefusalCode> {
  if (!isJsonObject(payload)) return refuse('claims_malformed');
  const issuer = member(payload, 'iss');
  const subject = member(payload, 'sub');
  const audience = readAudience(member(payload, 'aud'));
  if (!isStringOrUri(issuer)) return refuse('issuer_malformed');
  if (!isIdentifier(subject)) return refuse('subject_malformed');
  if (audience === undefined) return refuse('audience_malformed');

  const expiresAt = member(payload, 'exp');
  const issuedAt = member(payload, 'iat');
  const notBefore = member(payload, 'nbf');
  if (!isSeconds(expiresAt) || expiresAt === 0) return refuse('expiry_malformed');
  if (issuedAt !== undefined && !isSeconds(issuedAt)) return refuse('issued_at_malformed');
  if (notBefore !== undefined && !isSeconds(notBefore)) return refuse('not_before_malformed');

  const id = member(payload, 'jti');
  const clientId = member(payload, 'client_id');
  if (id !== undefined && !isIdentifier(id)) return refuse('token_id_malformed');
  if (clientId !== undefined && !isIdentifier(clientId)) return refuse('client_id_malformed');

  const scope = optional(member(payload, 'scope'), parseScope);
  const actor = optional(member(payload, 'act'), (value) => readActor(value, { issuer, subject }));
  const confirmation = optional(member(payload, 'cnf'), readConfirmation);
  if (scope?.ok === false) return scope;
  if (actor?.ok === false) return actor;
  if (confirmation?.ok === false) return confirmation;
  // RFC 9068 §2.2: sub is the client where no resource owner took part. Behind an actor it would pass for a user
  // (RFC 9700 §4.15).
  if (actor !== undefined && clientId === subject) return refuse('subject_is_client');

  const claims: DelegationClaims = {
    issuer,
    subject,
    audience,
    expiresAt,
    ...(issuedAt !== undefined && { issuedAt }),
    ...(notBefore !== undefined && { notBefore }),
    ...(id !== undefined && { id }),
    ...(clientId !== undefined && { clientId }),
    scope: scope?.scope ?? [],
    ...(actor !== undefined && { actor: actor.actor }),
    ...(confirmation !== undefined && { confirmation: confirmation.confirmation }),
  };
  return { ok: true, claims };
}

function optional<T>(value: unknown, read: (value: unknown) => T): T | undefined {
  return value === undefined ? undefined : read(value);
}

function readAudience(value: unknown): readonly string[] | undefined {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (values.length === 0 || values.length > MAX_AUDIENCES) return undefined;
  return values.every(isStringOrUri) ? [...values] : undefined;
}

/** NumericDate (RFC 7519 §2) without the fractions that it would allow: no string, NaN, Infinity or 1e308 passes. */
function isSeconds(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0;
}
