/** Why a payload cannot be read as the claims of a token. */
export type ClaimsRefusalCode =
  | 'claims_malformed'
  | 'issuer_malformed'
  | 'subject_malformed'
  | 'subject_is_client'
  | 'audience_malformed'
  | 'expiry_malformed'
  | 'issued_at_malformed'
  | 'not_before_malformed'
  | 'token_id_malformed'
  | 'client_id_malformed'
  | 'scope_malformed'
  | 'actor_malformed'
  | 'actor_issuer_mismatch'
  | 'actor_is_subject'
  | 'delegation_too_deep'
  | 'confirmation_malformed'
  | 'confirmation_unsupported';

/** Why a token that can be read does not count now. */
export type TimesRefusalCode =
  | 'token_expired'
  | 'token_not_yet_valid'
  | 'token_issued_in_future'
  | 'token_lifetime_too_long';

/** Why a token does not count here. */
export type AudienceRefusalCode = 'audience_mismatch';

/** Why a token gives no chain to the agent that signed the request. */
export type ChainRefusalCode = 'actor_missing' | 'actor_mismatch' | 'confirmation_mismatch';

/** Every code with which this package refuses something a client sent. */
export type DelegationRefusalCode = ClaimsRefusalCode | TimesRefusalCode | AudienceRefusalCode | ChainRefusalCode;

/** A refusal: a value, never an exception. `detail` is constant per code and never echoes what was sent. */
export interface DelegationRefusal<Code extends DelegationRefusalCode = DelegationRefusalCode> {
  readonly ok: false;
  readonly code: Code;
  readonly detail: string;
}

/** The one table of refusals: each code with its constant text, safe to log and to show. */
export const delegationRefusals: Readonly<Record<DelegationRefusalCode, string>> = Object.freeze({
  claims_malformed: 'The claims are not a JSON object.',
  issuer_malformed: 'iss must be a non-empty string without invisible characters.',
  subject_malformed: 'sub must be an identifier: NFC text of 1 to 256 characters, none of them invisible.',
  subject_is_client: 'sub names the client itself, so there is nobody on whose behalf the actor could act.',
  audience_malformed: 'aud must be a non-empty string, or an array of 1 to 16 of them.',
  expiry_malformed: 'exp is required and must be a whole number of seconds above 0.',
  issued_at_malformed: 'iat must be a whole number of seconds.',
  not_before_malformed: 'nbf must be a whole number of seconds.',
  token_id_malformed: 'jti must be an identifier: NFC text of 1 to 256 characters, none of them invisible.',
  client_id_malformed: 'client_id must be an identifier: NFC text of 1 to 256 characters, none of them invisible.',
  scope_malformed: 'scope must be a string of 1 to 100 scopes of at most 256 characters, separated by single spaces.',
  actor_malformed: 'act must be an object whose sub is an identifier.',
  actor_issuer_mismatch: 'act.iss must be the issuer of the token.',
  actor_is_subject: 'act.sub must not be sub: nobody acts on behalf of itself.',
  delegation_too_deep: 'act holds a further act: chains of more than one actor are not accepted.',
  confirmation_malformed: 'cnf must name one Ed25519 public key, by jkt, by jwk, or by both in agreement.',
  confirmation_unsupported: 'cnf asks for a proof of possession that is not supported; jkt and an Ed25519 jwk are.',
  token_expired: 'The token has expired.',
  token_not_yet_valid: 'The token is not valid yet.',
  token_issued_in_future: 'The token says that it was issued in the future.',
  token_lifetime_too_long: 'The token lives longer than is accepted here.',
  audience_mismatch: 'The token is meant for another audience.',
  actor_missing: 'The token names no actor, and its subject is not the agent that signed the request.',
  actor_mismatch: 'The actor of the token is not the agent that signed the request.',
  confirmation_mismatch: 'The token is bound to another key than the one that signed the request.',
});

export function refuse<Code extends DelegationRefusalCode>(code: Code): DelegationRefusal<Code> {
  return { ok: false, code, detail: delegationRefusals[code] };
}
