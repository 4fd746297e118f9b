import { hash } from 'node:crypto';
import { type AuthorizationDetail, readAuthorizationDetails } from './authorization-details.js';
import { isSeconds, isWholeNumber, optional, readAudience } from './claim-values.js';
import { type Confirmation, isBase64urlOf32Bytes, readConfirmation } from './confirmation.js';
import { isIdentifier } from './identifier.js';
import { isJsonObject, member } from './json.js';
import { type DelegationRefusal, type LinkRefusalCode, refuse } from './refusal.js';
import { parseScope, type Scope } from './scope.js';

/** The `typ` of a link, so that no other kind of token passes for a link (RFC 8725 §3.11). */
export const LINK_TYPE = 'delegation+jwt';

/** The claims of a link: one agent delegates part of its rights to another. Times are whole unix seconds. */
export interface LinkClaims {
  /** `iss`: the delegator. */
  readonly issuer: string;
  /** `sub`: the delegate. */
  readonly subject: string;
  /** `aud`, always as a list of at least one. */
  readonly audience: readonly string[];
  readonly scope: Scope;
  /** `authorization_details` (RFC 9396); if absent, those of the parent apply. */
  readonly authorizationDetails?: readonly AuthorizationDetail[];
  /** `iat` */
  readonly issuedAt: number;
  /** `exp` */
  readonly expiresAt: number;
  /** `jti` */
  readonly id: string;
  /** `pth`: {@link parentHash} of the parent; absent on the first link of a chain without a token. */
  readonly parentHash?: string;
  /** `max_hops`: the number of links that may follow this one. */
  readonly maxHops?: number;
  /** `cnf.jkt`: the one key with which the delegate may use the link. */
  readonly confirmation?: Confirmation;
}

// A link has no extensions: an unknown claim might be meant as a limit.
const CLAIMS = ['iss', 'sub', 'aud', 'scope', 'authorization_details', 'iat', 'exp', 'jti', 'pth', 'max_hops', 'cnf'];

/**
 * Parses the payload of a link **whose signature has been verified already**, as strictly as that of a token. An unknown
 * claim is refused. Never throws on a JSON value.
 *
 * @example
 * const read = readLink(payload);
 * if (!read.ok) return read.code;
 * read.link.subject; // the delegate
 */
export function readLink(
  payload: unknown,
): { readonly ok: true; readonly link: LinkClaims } | DelegationRefusal<LinkRefusalCode> {
  if (!isJsonObject(payload)) return refuse('claims_malformed');
  if (!Object.keys(payload).every((name) => CLAIMS.includes(name))) return refuse('link_claim_unknown');
  const issuer = member(payload, 'iss');
  const subject = member(payload, 'sub');
  const audience = readAudience(member(payload, 'aud'));
  if (!isIdentifier(issuer)) return refuse('issuer_malformed');
  if (!isIdentifier(subject)) return refuse('subject_malformed');
  if (issuer === subject) return refuse('delegate_is_delegator');
  if (audience === undefined) return refuse('audience_malformed');

  const issuedAt = member(payload, 'iat');
  const expiresAt = member(payload, 'exp');
  if (!isSeconds(issuedAt)) return refuse('issued_at_malformed');
  if (!isSeconds(expiresAt) || expiresAt <= issuedAt) return refuse('expiry_malformed');

  const id = member(payload, 'jti');
  const parent = member(payload, 'pth');
  const maxHops = member(payload, 'max_hops');
  if (!isIdentifier(id)) return refuse('token_id_malformed');
  if (parent !== undefined && !isBase64urlOf32Bytes(parent)) return refuse('parent_hash_malformed');
  if (maxHops !== undefined && !isWholeNumber(maxHops)) return refuse('max_hops_malformed');

  const scope = parseScope(member(payload, 'scope'));
  const details = optional(member(payload, 'authorization_details'), readAuthorizationDetails);
  const confirmation = optional(member(payload, 'cnf'), readConfirmation);
  if (!scope.ok) return scope;
  if (details?.ok === false) return details;
  if (confirmation?.ok === false) return confirmation;
  // Only an issuer vouches for a key; a delegator can only bind a link to a key that is registered already.
  if (confirmation?.confirmation.jwk !== undefined) return refuse('confirmation_unsupported');

  const link: LinkClaims = {
    issuer,
    subject,
    audience,
    scope: scope.scope,
    ...(details !== undefined && { authorizationDetails: details.details }),
    issuedAt,
    expiresAt,
    id,
    ...(parent !== undefined && { parentHash: parent }),
    ...(maxHops !== undefined && { maxHops }),
    ...(confirmation !== undefined && { confirmation: confirmation.confirmation }),
  };
  return { ok: true, link };
}

/**
 * The value of `pth`: base64url SHA-256 of the parent as sent. The parent is the access token of the Authorization field
 * or the link before.
 */
export function parentHash(parent: string): string {
  return hash('sha256', parent, 'base64url');
}
