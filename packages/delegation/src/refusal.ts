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
  | 'actor_repeated'
  | 'delegation_too_deep'
  | 'ancestors_malformed'
  | 'confirmation_malformed'
  | 'confirmation_unsupported'
  | 'authorization_details_malformed'
  | 'max_hops_malformed'
  | 'scope_match_malformed'
  | 'status_malformed';

/** Why a payload cannot be read as a link. */
export type LinkRefusalCode =
  | 'claims_malformed'
  | 'link_claim_unknown'
  | 'issuer_malformed'
  | 'subject_malformed'
  | 'delegate_is_delegator'
  | 'audience_malformed'
  | 'issued_at_malformed'
  | 'expiry_malformed'
  | 'token_id_malformed'
  | 'parent_hash_malformed'
  | 'max_hops_malformed'
  | 'scope_malformed'
  | 'authorization_details_malformed'
  | 'confirmation_malformed'
  | 'confirmation_unsupported';

/** Why a well-formed token is not valid now. */
export type TimesRefusalCode =
  | 'token_expired'
  | 'token_not_yet_valid'
  | 'token_issued_in_future'
  | 'token_lifetime_too_long';

/** Why a token is not valid at this API. */
export type AudienceRefusalCode = 'audience_mismatch';

/** How a delegation exceeds its parent. */
export type NarrowingRefusalCode =
  | 'redelegation_forbidden'
  | 'max_hops_wider'
  | 'scope_wider'
  | 'expiry_wider'
  | 'audience_wider'
  | 'authorization_details_wider';

/** Why a token and its links form no chain to the agent that signed the request. */
export type ChainRefusalCode =
  | 'actor_missing'
  | 'actor_mismatch'
  | 'confirmation_mismatch'
  | 'scope_match_mismatch'
  | 'link_signer_mismatch'
  | 'link_parent_mismatch'
  | 'link_delegate_mismatch'
  | 'link_confirmation_mismatch'
  | 'agent_repeated'
  | 'delegation_too_deep'
  | NarrowingRefusalCode;

/** Every refusal code of this package for input from a client. */
export type DelegationRefusalCode =
  | ClaimsRefusalCode
  | LinkRefusalCode
  | TimesRefusalCode
  | AudienceRefusalCode
  | ChainRefusalCode;

/** A refusal: a value, never an exception. `detail` is constant per code and never echoes input. */
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
  expiry_malformed:
    'exp is required and must be a whole number of seconds above 0, and that of a link be after its iat.',
  issued_at_malformed: 'iat must be a whole number of seconds.',
  not_before_malformed: 'nbf must be a whole number of seconds.',
  token_id_malformed: 'jti must be an identifier: NFC text of 1 to 256 characters, none of them invisible.',
  client_id_malformed: 'client_id must be an identifier: NFC text of 1 to 256 characters, none of them invisible.',
  scope_malformed: 'scope must be a string of 1 to 100 scopes of at most 256 characters, separated by single spaces.',
  actor_malformed: 'act, and each act within it, must be an object whose sub is an identifier.',
  actor_issuer_mismatch: 'act.iss, where present, must be the issuer of the token.',
  actor_is_subject: 'act.sub must not be sub: nobody acts on behalf of itself.',
  actor_repeated: 'act names an agent that acted before: nobody acts twice in a chain.',
  delegation_too_deep: 'There are more delegations between subject and actor than are accepted.',
  ancestors_malformed:
    'ancestors must be an array of 1 to 40 objects, each with a jti, the jkt of a key, or an iss, and with nothing else by these names.',
  confirmation_malformed: 'cnf must name one Ed25519 public key, by jkt, by jwk, or by both in agreement.',
  confirmation_unsupported:
    'cnf asks for a proof of possession that is not supported; jkt and, in a token, an Ed25519 jwk are.',
  authorization_details_malformed:
    'authorization_details must be an array of 1 to 32 objects, each with a type and with lists of 1 to 100 strings, 1000 values in all.',
  max_hops_malformed: 'max_hops must be a whole number that is 0 or more.',
  scope_match_malformed: "scope_match must be 'hierarchical' or 'exact'.",
  status_malformed: 'status must hold a status_list with its idx and uri; no other way to keep a status is supported.',
  link_claim_unknown: 'The link has a claim that is none of those of a link.',
  delegate_is_delegator: 'The iss and sub of a link must differ: nobody delegates to itself.',
  parent_hash_malformed: 'pth must be a SHA-256 hash in base64url.',
  token_expired: 'The token has expired.',
  token_not_yet_valid: 'The token is not valid yet.',
  token_issued_in_future: 'The token says that it was issued in the future.',
  token_lifetime_too_long: 'The token lives longer than is accepted here.',
  audience_mismatch: 'The token is meant for another audience.',
  actor_missing: 'The token names no actor, and its subject is not the agent that uses it.',
  actor_mismatch: 'The actor of the token is not the agent that uses it.',
  confirmation_mismatch: 'The token is bound to another key than the one that uses it.',
  scope_match_mismatch:
    'The issuer compares scopes in another way (scope_match) than this API: give both the same scopeMatch.',
  link_signer_mismatch: 'The iss of a link is not the agent whose key signed it.',
  link_parent_mismatch: 'The pth of a link is not the hash of the token or link before it.',
  link_delegate_mismatch: 'The sub of a link is not the agent that uses it.',
  link_confirmation_mismatch: 'A link is bound to another key than the one that uses it.',
  agent_repeated: 'An agent appears twice in the chain.',
  redelegation_forbidden: 'The token or link before a link forbids to hand it on.',
  max_hops_wider: 'max_hops allows more than the token or link before it.',
  scope_wider: 'The scope is not covered by that of the token or link before it.',
  expiry_wider: 'It expires after the token or link before it.',
  audience_wider: 'It has an audience that the token or link before it does not have.',
  authorization_details_wider: 'The authorization_details do not lie within those of the token or link before it.',
});

export function refuse<Code extends DelegationRefusalCode>(code: Code): DelegationRefusal<Code> {
  return { ok: false, code, detail: delegationRefusals[code] };
}
