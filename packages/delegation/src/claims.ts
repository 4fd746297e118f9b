import { isOfApplication } from './application-token.js';
import { type Actor, readActors } from './actor.js';
import { type Ancestor, readAncestors } from './ancestors.js';
import { type AuthorizationDetail, readAuthorizationDetails } from './authorization-details.js';
import { isSeconds, isWholeNumber, optional, readAudience } from './claim-values.js';
import { type Confirmation, readConfirmation } from './confirmation.js';
import { isIdentifier, isStringOrUri } from './identifier.js';
import { isJsonObject, member } from './json.js';
import { type ClaimsRefusalCode, type DelegationRefusal, refuse } from './refusal.js';
import { isScopeMatch, parseScope, type Scope, type ScopeMatch } from './scope.js';
import { readStatusReference, type StatusReference } from './status-reference.js';

/** The claims of a token (RFC 9068 §2.2, RFC 8693 §4.1), read strictly. Times are whole unix seconds. */
export interface DelegationClaims {
  /** `iss` */
  readonly issuer: string;
  /** `sub`: on whose behalf the actor acts, or the agent itself where there is no actor. */
  readonly subject: string;
  /** By `sub_profile` or another mark of an application: no user stands for the subject. Absent: beside an actor it is a user. */
  readonly subjectType?: 'agent';
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
  /** `scope`; empty only if the token has none, and then the delegate gets no rights. */
  readonly scope: Scope;
  /** `scope_match`: how the issuer compared scopes when it narrowed this one. Absent: unknown. */
  readonly scopeMatch?: ScopeMatch;
  /** `act`, the outermost: who acts. */
  readonly actor?: Actor;
  /** The actors nested in `act`, most recent first. They are history and grant nothing (RFC 8693 §4.1). */
  readonly priorActors: readonly Actor[];
  /** `ancestors`: the delegations that the issuer made this one from, most recent first. Absent: none, or unknown. */
  readonly ancestors?: readonly Ancestor[];
  /** `cnf` */
  readonly confirmation?: Confirmation;
  /** `authorization_details` (RFC 9396 §9.1) */
  readonly authorizationDetails?: readonly AuthorizationDetail[];
  /** `max_hops`: the number of links that may follow; 0 forbids further delegation. */
  readonly maxHops?: number;
  /** `status` */
  readonly statusReference?: StatusReference;
}

/**
 * Reads the payload of a token **whose signature has been verified already**. Each claim must have exactly its type;
 * nothing is coerced. `may_act` is never read: it names a possible actor (RFC 8693 §4.4), not the actor.
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
  const actors = optional(member(payload, 'act'), (value) => readActors(value, { issuer, subject }));
  const ancestors = optional(member(payload, 'ancestors'), (value) => readAncestors(value, { issuer }));
  const confirmation = optional(member(payload, 'cnf'), readConfirmation);
  const details = optional(member(payload, 'authorization_details'), readAuthorizationDetails);
  const status = optional(member(payload, 'status'), readStatusReference);
  const maxHops = member(payload, 'max_hops');
  const scopeMatch = member(payload, 'scope_match');
  if (scope?.ok === false) return scope;
  if (actors?.ok === false) return actors;
  if (ancestors?.ok === false) return ancestors;
  if (confirmation?.ok === false) return confirmation;
  if (details?.ok === false) return details;
  if (status?.ok === false) return status;
  if (maxHops !== undefined && !isWholeNumber(maxHops)) return refuse('max_hops_malformed');
  if (scopeMatch !== undefined && !isScopeMatch(scopeMatch)) return refuse('scope_match_malformed');
  // RFC 9068 §2.2: without a resource owner, sub is the client. In a token with an actor it would pass for a user
  // (RFC 9700 §4.15).
  if (actors !== undefined && clientId === subject) return refuse('subject_is_client');

  // Without an actor, a token whose client is its subject is that agent's own, as it should be.
  const isAgent = isOfApplication(payload, actors === undefined && clientId === subject ? [] : [subject]);
  const claims: DelegationClaims = {
    issuer,
    subject,
    ...(isAgent && { subjectType: 'agent' }),
    audience,
    expiresAt,
    ...(issuedAt !== undefined && { issuedAt }),
    ...(notBefore !== undefined && { notBefore }),
    ...(id !== undefined && { id }),
    ...(clientId !== undefined && { clientId }),
    scope: scope?.scope ?? [],
    ...(scopeMatch !== undefined && { scopeMatch }),
    ...(actors !== undefined && { actor: actors.actor }),
    priorActors: actors?.priorActors ?? [],
    ...(ancestors !== undefined && { ancestors: ancestors.ancestors }),
    ...(confirmation !== undefined && { confirmation: confirmation.confirmation }),
    ...(details !== undefined && { authorizationDetails: details.details }),
    ...(maxHops !== undefined && { maxHops }),
    ...(status !== undefined && { statusReference: status.reference }),
  };
  return { ok: true, claims };
}
