import { describe, expect, it } from 'vitest';
import { readClaims } from '../src/claims.js';
import { delegatedChain } from '../src/delegated-chain.js';
import { readLink } from '../src/link.js';
import { type DelegationRefusalCode, delegationRefusals } from '../src/refusal.js';
import type { ScopeMatch } from '../src/scope.js';
import { checkAudience, checkTimes } from '../src/validity.js';
import { AGENT, agentNamed, claimsWith, LINK_PAYLOAD, linkWith, NOW, OTHER_THUMBPRINT, PAYLOAD } from './support.js';

const read = (replaced: object): unknown => readClaims({ ...PAYLOAD, ...replaced });
const readAsLink = (replaced: object): unknown => readLink({ ...LINK_PAYLOAD, ...replaced });
const times = (replaced: Record<string, unknown>): unknown =>
  checkTimes(claimsWith(replaced), { now: NOW, clockSkewSeconds: 0, maxLifetimeSeconds: 3600 });
const chain = (replaced: Record<string, unknown>, maxDepth = 5, scopeMatch?: ScopeMatch): unknown =>
  delegatedChain({
    root: { token: claimsWith(replaced), tokenHash: OTHER_THUMBPRINT },
    links: [],
    actor: AGENT,
    maxDepth,
    ...(scopeMatch !== undefined && { scopeMatch }),
  });
const linked = (replaced: Record<string, unknown>, token: Record<string, unknown> = {}, actor = 'agent-2'): unknown =>
  delegatedChain({
    root: { token: claimsWith(token), tokenHash: OTHER_THUMBPRINT },
    links: [{ claims: linkWith({ pth: OTHER_THUMBPRINT, ...replaced }), hash: OTHER_THUMBPRINT, delegator: AGENT }],
    actor: agentNamed(actor),
    maxDepth: 5,
  });

// One input for each code: a code without a row does not compile, a row that gives another code fails.
const REACHED: Record<DelegationRefusalCode, () => unknown> = {
  claims_malformed: () => readClaims('payload'),
  issuer_malformed: () => read({ iss: '' }),
  subject_malformed: () => read({ sub: '' }),
  subject_is_client: () => read({ client_id: PAYLOAD.sub }),
  audience_malformed: () => read({ aud: [] }),
  expiry_malformed: () => read({ exp: '1' }),
  issued_at_malformed: () => read({ iat: '1' }),
  not_before_malformed: () => read({ nbf: '1' }),
  token_id_malformed: () => read({ jti: 1 }),
  client_id_malformed: () => read({ client_id: 1 }),
  scope_malformed: () => read({ scope: [] }),
  actor_malformed: () => read({ act: 'agent-1' }),
  actor_issuer_mismatch: () => read({ act: { sub: 'agent-1', iss: 'https://other.example' } }),
  actor_is_subject: () => read({ act: { sub: PAYLOAD.sub } }),
  actor_repeated: () => read({ act: { sub: 'agent-1', act: { sub: 'agent-1' } } }),
  delegation_too_deep: () => chain({}, 0),
  ancestors_malformed: () => read({ ancestors: [] }),
  confirmation_malformed: () => read({ cnf: { jkt: 1 } }),
  confirmation_unsupported: () => read({ cnf: { 'x5t#S256': OTHER_THUMBPRINT } }),
  authorization_details_malformed: () => read({ authorization_details: {} }),
  max_hops_malformed: () => read({ max_hops: '1' }),
  scope_match_malformed: () => read({ scope_match: '' }),
  status_malformed: () => read({ status: {} }),
  link_claim_unknown: () => readAsLink({ nbf: NOW }),
  delegate_is_delegator: () => readAsLink({ sub: 'agent-1' }),
  parent_hash_malformed: () => readAsLink({ pth: '' }),
  token_expired: () => times({ exp: NOW }),
  token_not_yet_valid: () => times({ nbf: NOW + 1 }),
  token_issued_in_future: () => times({ iat: NOW + 1 }),
  token_lifetime_too_long: () => times({ exp: NOW + 3601 }),
  audience_mismatch: () => checkAudience(claimsWith(), ['https://other.example']),
  actor_missing: () => chain({ act: undefined }),
  actor_mismatch: () => chain({ act: { sub: 'agent-2' } }),
  confirmation_mismatch: () => chain({ cnf: { jkt: OTHER_THUMBPRINT } }),
  scope_match_mismatch: () => chain({ scope_match: 'exact' }, 5, 'hierarchical'),
  link_signer_mismatch: () => linked({ iss: 'agent-3' }),
  link_parent_mismatch: () => linked({ pth: undefined }),
  link_delegate_mismatch: () => linked({}, {}, 'agent-3'),
  link_confirmation_mismatch: () => linked({ cnf: { jkt: OTHER_THUMBPRINT } }),
  agent_repeated: () => linked({ sub: 'user_123' }, {}, 'user_123'),
  redelegation_forbidden: () => linked({}, { max_hops: 0 }),
  max_hops_wider: () => linked({ max_hops: 1 }, { max_hops: 1 }),
  scope_wider: () => linked({ scope: 'repo' }),
  expiry_wider: () => linked({ exp: NOW + 301 }),
  audience_wider: () => linked({ aud: 'https://b.example' }),
  authorization_details_wider: () =>
    linked({ authorization_details: [{ type: 'Repo' }] }, { authorization_details: [{ type: 'Bucket' }] }),
};

describe('refusals', () => {
  it('have exactly these codes', () => {
    expect(Object.keys(delegationRefusals).toSorted()).toEqual([
      'actor_is_subject',
      'actor_issuer_mismatch',
      'actor_malformed',
      'actor_mismatch',
      'actor_missing',
      'actor_repeated',
      'agent_repeated',
      'ancestors_malformed',
      'audience_malformed',
      'audience_mismatch',
      'audience_wider',
      'authorization_details_malformed',
      'authorization_details_wider',
      'claims_malformed',
      'client_id_malformed',
      'confirmation_malformed',
      'confirmation_mismatch',
      'confirmation_unsupported',
      'delegate_is_delegator',
      'delegation_too_deep',
      'expiry_malformed',
      'expiry_wider',
      'issued_at_malformed',
      'issuer_malformed',
      'link_claim_unknown',
      'link_confirmation_mismatch',
      'link_delegate_mismatch',
      'link_parent_mismatch',
      'link_signer_mismatch',
      'max_hops_malformed',
      'max_hops_wider',
      'not_before_malformed',
      'parent_hash_malformed',
      'redelegation_forbidden',
      'scope_malformed',
      'scope_match_malformed',
      'scope_match_mismatch',
      'scope_wider',
      'status_malformed',
      'subject_is_client',
      'subject_malformed',
      'token_expired',
      'token_id_malformed',
      'token_issued_in_future',
      'token_lifetime_too_long',
      'token_not_yet_valid',
    ]);
  });

  it.each(Object.entries(REACHED))('%s is reached, with its own text', (code, reach) => {
    const detail = delegationRefusals[code as DelegationRefusalCode];
    expect(reach()).toEqual({ ok: false, code, detail });
    expect(Object.values(delegationRefusals).filter((text) => text === detail)).toHaveLength(1);
  });
});
