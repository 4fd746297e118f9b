import { guardDefaults } from '@countersign/common';
import type { RefusalCode } from '@countersign/core';
import { type Hint, hint } from './hint.js';

const { maxTokenLifetimeSeconds, maxLinkLifetimeSeconds, maxDelegationDepth } = guardDefaults;

export type DelegationCode = Extract<RefusalCode, `token_${string}` | `delegation_${string}`>;

/** The token, and the links from the subject to the actor. */
export const delegationHints: Readonly<Record<DelegationCode, Hint>> = {
  token_malformed: hint(
    'The Authorization field is not `Bearer` (or `DPoP`, with a proof), one space and a JWT.',
    'Correct the field; `countersign inspect` shows what is in a token.',
  ),
  token_invalid: hint(
    `No key of its issuer signed the token, it is no access token (typ at+jwt), its claims cannot be read, it was issued for too long a time (over ${maxTokenLifetimeSeconds} s by default), or its issuer compares scopes in another way than the API (scope_match).`,
    'Get a new one; `countersign inspect` says what is wrong.',
  ),
  token_expired: hint('The token is expired or not valid yet.', 'Get a new token. If it is fresh, compare the clocks.'),
  token_issuer_unknown: hint(
    'The API does not trust the `iss` of this token.',
    'Get one from an issuer that the API lists.',
  ),
  token_audience_mismatch: hint(
    'The token is for another API: its `aud` must name this one.',
    'Ask for a token with the right audience.',
  ),
  token_delegation_invalid: hint(
    "The token does not name the agent in `act.sub` and the user in `sub`. A user's own token is refused from an agent.",
    'Exchange it for one that names the agent (RFC 8693).',
  ),
  token_not_bound_to_agent: hint(
    'The token is for another agent (`act.sub`, or `sub` without it) or key (`cnf`) than the one that signed.',
    'Sign with the key that the token is for.',
  ),
  token_revoked: hint('The issuer took this token back, for good or for a time.', 'Get a new one.'),
  delegation_malformed: hint(
    'Agent-Delegation is not one field of links (typ delegation+jwt), separated by commas, in the order of handing on.',
    'Send the links of the bundle as you received them.',
  ),
  delegation_invalid: hint(
    `A link is signed by a key that is unknown or over, is out of order, lives too long (over ${maxLinkLifetimeSeconds} s by default), is for another agent or key, or an agent is in it twice.`,
    'Send the bundle as you received it; `countersign inspect` says what is wrong.',
  ),
  delegation_audience_mismatch: hint(
    'A link is for another API: its `aud` must name this one.',
    'Ask the agent before you to delegate for the right audience.',
  ),
  delegation_expired: hint(
    'A link is expired or not valid yet.',
    'Ask the agent before you to delegate again; if it is fresh, compare the clocks.',
  ),
  delegation_wider: hint(
    'A link gives more scope, time, audience, details or hops than its delegator was given, or may not be handed on at all (max_hops 0).',
    'Delegate again, with less.',
  ),
  delegation_too_deep: hint(
    `The API accepts fewer delegations in a row (${maxDelegationDepth} by default, those in the token included).`,
    'Delegate more directly.',
  ),
  delegation_revoked: hint(
    'The user, the issuer, an agent, one of their keys or a delegation was revoked, or an agent before you is suspended.',
    'Ask whoever delegated to you.',
  ),
};
