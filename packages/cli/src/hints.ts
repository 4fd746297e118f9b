import { guardDefaults } from '@countersign/common';
import type { RefusalCode } from '@countersign/core';

const { maxAgeSeconds, maxTokenLifetimeSeconds, maxLinkLifetimeSeconds, maxDelegationDepth } = guardDefaults;

/** For every refusal code: its meaning for the caller, and the next step. */
const hints: Readonly<Record<RefusalCode, string>> = {
  request_malformed:
    'The request can be read in two ways (a repeated Host or length field, a strange target). Send it plainly.',
  fields_too_large: 'Send fewer or shorter header fields; a very large token is the usual cause.',
  origin_mismatch:
    'Use the host name and scheme under which the API knows itself (its `origin`); a proxy may rewrite Host.',
  signature_required:
    'Sign the request: agent.fetch() or `countersign curl`. If it was signed, a proxy removed the fields.',
  signature_malformed: 'Signature or Signature-Input is not well formed. `countersign inspect` shows how it reads.',
  signature_ambiguous: 'Exactly one signature may carry tag="countersign", and its label must be in both fields.',
  signature_incomplete:
    'Cover what Accept-Signature in the answer lists: @method, @authority, @path, @query, and the body fields.',
  credential_uncovered:
    'A credential was added after signing. Add authorization and Agent-* fields first, then sign over them.',
  algorithm_not_allowed: 'Sign with Ed25519, and leave `alg` out or set it to "ed25519".',
  signature_expired: `The signature is older than the API accepts (${maxAgeSeconds} s by default). Sign right before sending; check the clock.`,
  signature_not_yet_valid: 'The clock of this machine is ahead of the API by more than the allowed skew. Correct it.',
  signature_invalid:
    'The API does not know the key (register its public part: `countersign keygen` prints the entry), or something covered changed after signing (a proxy, a re-serialised body). The audit log of the API says which.',
  signature_replayed: 'Each signature counts once. Sign again, with a new nonce, for every attempt, retries included.',
  key_unknown:
    'Only in audit logs; the client got signature_invalid. Register the public part of its key (`countersign keygen` prints the entry), or let it use the right key.',
  key_not_valid: 'The key is registered, but not valid now (not yet, expired, or revoked). Rotate to the current key.',
  agent_suspended: 'The operator of the API suspended this agent. Ask them; signing again will not help.',
  digest_required: 'Add Content-Digest (RFC 9530) over the body and cover it by the signature.',
  digest_malformed: 'Content-Digest must be like sha-256=:BASE64:, with sha-256 or sha-512.',
  digest_mismatch:
    'The body is not the one that was hashed. Hash exactly the bytes sent, after compression; look for a proxy that rewrites.',
  body_too_large: 'Send less at once, or ask the operator for a higher limit.',
  body_incomplete: 'The connection ended before the whole body was sent. Send it again, newly signed.',
  body_timeout: 'The body was sent too slowly. Send it again, newly signed.',
  proof_ambiguous: 'The request has both a signature of ours and a DPoP proof. Send one of them.',
  dpop_proof_required: 'A token of scheme DPoP needs one DPoP field beside it, with a proof made for this request.',
  dpop_proof_invalid:
    'The proof must be one JWT (typ dpop+jwt), signed by the key in its header, with the method (htm), the URI without query (htu) and the hash of the token (ath); the token goes with `Authorization: DPoP`.',
  dpop_proof_expired: 'The proof is too old or from the future. Make it right before sending; check the clock.',
  dpop_proof_replayed: 'Each proof counts once. Make a new one, with a new jti, for every attempt, retries included.',
  dpop_nonce_required: 'Repeat the request with a proof that holds the nonce of the DPoP-Nonce field of the answer.',
  token_malformed:
    'The Authorization field must be `Bearer` (or `DPoP`, with a proof), one space and a JWT. `countersign inspect` shows what is in a token.',
  token_invalid: `No key of its issuer signed it, it is no access token (typ at+jwt), its claims cannot be read, or it was issued for too long a time (over ${maxTokenLifetimeSeconds} s by default). \`countersign inspect\` says which; get a new one.`,
  token_expired: 'Get a new token: this one is expired or not valid yet. If it is fresh, compare the clocks.',
  token_issuer_unknown: 'The API does not trust the `iss` of this token. Get one from an issuer that it lists.',
  token_audience_mismatch:
    'The token is for another API: its `aud` must name this one. Ask for a token with the right audience.',
  token_delegation_invalid:
    "The token must name the agent in `act.sub` and the user in `sub`: a user's own token is refused from an agent. Exchange it for one that names the agent (RFC 8693).",
  token_not_bound_to_agent:
    'The token is for another agent (`act.sub`, or `sub` without it) or key (`cnf`) than the one that signed. Sign with the key that it is for.',
  token_revoked: 'The issuer took this token back, for good or for a time. Get a new one.',
  delegation_malformed:
    'Agent-Delegation must be one field: links (typ delegation+jwt), separated by commas, in the order of handing on.',
  delegation_invalid: `A link is signed by a key that is unknown or over, is out of order, lives too long (over ${maxLinkLifetimeSeconds} s by default), is for another agent or key, or an agent is in it twice. Send the bundle as you received it; \`countersign inspect\` says what is wrong.`,
  delegation_audience_mismatch:
    'A link is for another API: its `aud` must name this one. Ask the agent before you to delegate for the right audience.',
  delegation_expired:
    'A link is expired or not valid yet. Ask the agent before you to delegate again; if it is fresh, compare the clocks.',
  delegation_wider:
    'A link gives more scope, time, audience, details or hops than its delegator was given, or may not be handed on at all (max_hops 0). Delegate again, with less.',
  delegation_too_deep: `The API accepts fewer delegations in a row (${maxDelegationDepth} by default, those in the token included). Delegate more directly.`,
  delegation_revoked:
    'The user, the issuer, an agent, one of their keys or a delegation was revoked, or an agent before you is suspended. Ask whoever delegated to you.',
  policy_denied:
    'The agent is known, but no policy permits this action on this resource for it, or the authorization_details of its token or a link name others (`countersign inspect` shows them). Ask the operator of the API.',
  insufficient_scope:
    'The delegation or the capabilities of the agent do not reach this far. The WWW-Authenticate field names the scope.',
  authorization_details_exceeded:
    'The authorization_details of the token or a link name other resources or actions, or have a member that no guard knows (`countersign inspect` marks it). Ask for a delegation for this one.',
  approval_required:
    'A policy permits this only with the consent of people. Ask an authority with the `approval` of the answer (`agent.requestApproval`), and repeat the request with the field Agent-Approval.',
  approval_denied: 'The people who were asked did not approve this; the `approval` of the answer may say why.',
  approval_malformed: 'Agent-Approval must be one field with the approval as the authority gave it: one JWT.',
  approval_invalid:
    'The approval is no `approval+jwt` of an authority that the API trusts, is by people who may not decide this, or by too few of them. The audit log of the API says which.',
  approval_expired: 'The time in which the approval could be used is over. Ask again.',
  approval_mismatch:
    'Something differs from what was approved (target, body, content type, agent, user, or the policies of the API). Repeat exactly the request that was refused, or ask again.',
  approval_used:
    'Each approval counts once, and in an API that forgets at a restart only if it was given after it. Ask again.',
  policy_error: 'A policy of the API fails on this request, and a failing policy never permits. Tell its operator.',
  route_unmapped:
    'The API has not said which permission this route needs, and then it is closed to agents. Tell its operator.',
  resource_unresolved:
    'The API failed to work out which resource is meant. Tell its operator; the audit log says what was missing.',
  body_consumed:
    'The API reads bodies before the guard can verify them: its middleware is in the wrong order. Tell its operator.',
  not_authenticated: 'The API asks for a permission on a route that no guard protects. Tell its operator.',
  internal_error: 'The API failed while it checked the request. Tell its operator; trying again later may help.',
  keys_unavailable: 'The API cannot reach its list of agents now. Try again later, newly signed.',
  issuer_unavailable: 'The API cannot fetch the keys of the token issuer now. Try again later, newly signed.',
  revocations_unavailable:
    'The API cannot learn now what has been revoked, so it trusts no delegation. Try again later, newly signed.',
  replay_unknown:
    'The API was restarted after the request was signed, and cannot tell whether it was used before. Sign it anew, once, after Retry-After; `@countersign/agent` does so by itself.',
  replay_store_unavailable:
    'The API cannot remember used signatures now, so it accepts none. Try again later, newly signed.',
  spool_unavailable:
    'The API has no room now to keep a large body until it has verified. Try again later, newly signed.',
  policy_unavailable: 'The API cannot evaluate its policies now. Try again later, newly signed.',
  approvals_unavailable:
    'The API cannot check approvals now: the keys of the authority, its own queue, or what it knows of used ones. Try again later, newly signed.',
  audit_unavailable: 'The API cannot write its audit log now, so nothing may be done. Try again later, newly signed.',
};

/** The hint for a refusal code; undefined if the code is unknown. */
export function hintFor(code: unknown): string | undefined {
  return typeof code === 'string' && Object.hasOwn(hints, code) ? hints[code as RefusalCode] : undefined;
}
