import { describe, expect, it } from 'vitest';
import { issuerAsserted } from '../src/chain.js';
import { readClaims } from '../src/claims.js';
import { type DelegationRefusalCode, delegationRefusals } from '../src/refusal.js';
import { checkAudience, checkTimes } from '../src/validity.js';
import { AGENT, claimsWith, NOW, OTHER_THUMBPRINT, PAYLOAD } from './support.js';

const read = (replaced: object): unknown => readClaims({ ...PAYLOAD, ...replaced });
const chain = (replaced: Record<string, unknown>): unknown =>
  issuerAsserted({ claims: claimsWith(replaced), agent: AGENT });
const times = (replaced: Record<string, unknown>): unknown =>
  checkTimes(claimsWith(replaced), { now: NOW, clockSkewSeconds: 0, maxLifetimeSeconds: 3600 });

// One way to each code: a code without a row does not compile, a row that does not lead to its code fails.
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
  delegation_too_deep: () => read({ act: { sub: 'agent-1', act: { sub: 'agent-0' } } }),
  confirmation_malformed: () => read({ cnf: { jkt: 1 } }),
  confirmation_unsupported: () => read({ cnf: { 'x5t#S256': OTHER_THUMBPRINT } }),
  token_expired: () => times({ exp: NOW }),
  token_not_yet_valid: () => times({ nbf: NOW + 1 }),
  token_issued_in_future: () => times({ iat: NOW + 1 }),
  token_lifetime_too_long: () => times({ exp: NOW + 3601 }),
  audience_mismatch: () => checkAudience(claimsWith(), ['https://other.example']),
  actor_missing: () => chain({ act: undefined }),
  actor_mismatch: () => chain({ act: { sub: 'agent-2' } }),
  confirmation_mismatch: () => chain({ cnf: { jkt: OTHER_THUMBPRINT } }),
};

describe('refusals', () => {
  it('are these, and no others', () => {
    expect(Object.keys(delegationRefusals).toSorted()).toEqual([
      'actor_is_subject',
      'actor_issuer_mismatch',
      'actor_malformed',
      'actor_mismatch',
      'actor_missing',
      'audience_malformed',
      'audience_mismatch',
      'claims_malformed',
      'client_id_malformed',
      'confirmation_malformed',
      'confirmation_mismatch',
      'confirmation_unsupported',
      'delegation_too_deep',
      'expiry_malformed',
      'issued_at_malformed',
      'issuer_malformed',
      'not_before_malformed',
      'scope_malformed',
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
