import { createHmac, sign } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { startAuthority } from '../support/authority.js';
import { claimsOf, dpopProof as proof, newKey, post, type ProofChanges, type TokenAnswer } from '../support/client.js';

const grant = { grant_type: 'client_credentials' };

async function withAgent() {
  const running = await startAuthority();
  const key = newKey();
  await running.authority.agents.add({ id: 'agent-a', jwk: key.jwk, capabilities: ['repo:read'] });
  const url = `${running.issuer}/token`;
  const ask = async (dpop: string) => await post(running, '/token', 'agent-a', key, grant, { headers: { dpop } });
  return { running, key, url, ask };
}

describe('DPoP at the token endpoint', () => {
  it('binds the token to the key of the proof', async () => {
    const { key, url, ask } = await withAgent();
    for (const each of [key, newKey()]) {
      const token = (await (await ask(proof(url, each))).json()) as TokenAnswer;
      expect(token.token_type).toBe('DPoP');
      expect(claimsOf(token.access_token)['cnf']).toEqual({ jkt: each.thumbprint });
    }
  });

  it('refuses a proof that is used again [B9]', async () => {
    const { key, url, ask } = await withAgent();
    const one = proof(url, key);
    expect((await ask(one)).status).toBe(200);
    expect((await ask(one)).status).toBe(400);
  });

  const otherKey = newKey();
  it.each<[string, ProofChanges]>([
    ['of another method', { claims: { htm: 'GET' } }],
    ['for another address', { claims: { htu: 'https://evil.example/token' } }],
    ['that is old', { claims: { iat: 1_700_000_000 } }],
    ['of the future', { claims: { iat: 4_000_000_000 } }],
    ['without jti', { claims: { jti: undefined } }],
    ['without iat', { claims: { iat: undefined } }],
    ['of another type', { header: { typ: 'JWT' } }],
    ['without a key', { header: { jwk: undefined } }],
    ['with a private key', { header: { jwk: { ...otherKey.jwk, d: 'AAAA' } } }],
    ['that another key signed', { sign: (input) => sign(null, input, otherKey.privateKey) }],
    [
      'with a shared secret',
      {
        header: { alg: 'HS256', jwk: { kty: 'oct', k: 'AAAA' } },
        sign: (input) => createHmac('sha256', Buffer.alloc(3)).update(input).digest(),
      },
    ],
    ['without signature', { header: { alg: 'none' }, sign: () => Buffer.alloc(0) }],
  ])('gives no token for a proof %s [B9, A8]', async (_, changes) => {
    const { key, url, ask } = await withAgent();
    const response = await ask(proof(url, key, changes));
    expect([response.status, ((await response.json()) as TokenAnswer).error]).toEqual([400, 'invalid_dpop_proof']);
  });
});
