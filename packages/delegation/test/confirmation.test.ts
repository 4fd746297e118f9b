import { generateKeyPairSync } from 'node:crypto';
import { calculateJwkThumbprint } from 'jose';
import { describe, expect, it } from 'vitest';
import { claimsWith, OTHER_THUMBPRINT, RFC8037_JWK, RFC8037_THUMBPRINT, verdict } from './support.js';

const x = RFC8037_JWK.x;

describe('cnf', () => {
  it('reads a thumbprint', () => {
    expect(claimsWith({ cnf: { jkt: RFC8037_THUMBPRINT } }).confirmation).toEqual({ jkt: RFC8037_THUMBPRINT });
  });

  it('computes the thumbprint of a key (RFC 8037, appendix A.3)', () => {
    expect(claimsWith({ cnf: { jwk: RFC8037_JWK } }).confirmation).toEqual({
      jkt: RFC8037_THUMBPRINT,
      jwk: RFC8037_JWK,
    });
  });

  it('computes the same thumbprint as jose', async () => {
    for (let i = 0; i < 20; i++) {
      const jwk = generateKeyPairSync('ed25519').publicKey.export({ format: 'jwk' });
      const jkt = await calculateJwkThumbprint(jwk);
      expect(claimsWith({ cnf: { jwk, jkt } }).confirmation).toEqual({ jkt, jwk });
    }
  });

  it('reduces a key to its required members', () => {
    const jwk = { ...RFC8037_JWK, kid: 'agent-1', alg: 'EdDSA', use: 'sig', key_ops: ['verify'], other: 1 };
    expect(claimsWith({ cnf: { jwk } }).confirmation?.jwk).toEqual(RFC8037_JWK);
    expect(verdict({ cnf: { jwk: { ...RFC8037_JWK, alg: 'Ed25519' } } })).toBe('ok');
  });

  it('ignores an unknown member beside a known one (RFC 7800 §3.1)', () => {
    expect(claimsWith({ cnf: { jkt: RFC8037_THUMBPRINT, kid: 'k', other: {} } }).confirmation).toEqual({
      jkt: RFC8037_THUMBPRINT,
    });
  });

  it.each([
    [{}],
    [{ kid: 'key-1' }],
    [{ other: RFC8037_THUMBPRINT }],
    [{ 'x5t#S256': RFC8037_THUMBPRINT }],
    [{ jku: 'https://id.example/keys', kid: 'key-1' }],
    [{ jwe: 'a.b.c.d.e' }],
    [{ JKT: RFC8037_THUMBPRINT }],
    [{ jwk: { kty: 'EC', crv: 'P-256', x, y: x } }],
    [{ jwk: { kty: 'oct', k: x } }],
    [{ jwk: { kty: 'OKP', crv: 'X25519', x } }],
    [{ jwk: { kty: 'OKP', x } }],
  ])('refuses an unsupported binding, such as %j [B8]', (cnf) => {
    expect(verdict({ cnf })).toBe('confirmation_unsupported');
  });

  it.each([['x5t#S256'], ['jku'], ['jwe']])(
    'refuses a thumbprint with %s, a second proof, beside it [B8]',
    (method) => {
      expect(verdict({ cnf: { jkt: RFC8037_THUMBPRINT, [method]: 'x' } })).toBe('confirmation_unsupported');
    },
  );

  it.each([
    [null],
    ['x'],
    [7],
    [[]],
    [[{ jkt: RFC8037_THUMBPRINT }]],
    [{ jkt: '' }],
    [{ jkt: null }],
    [{ jkt: 7 }],
    [{ jkt: [RFC8037_THUMBPRINT] }],
    [{ jkt: `${RFC8037_THUMBPRINT}=` }],
    [{ jkt: RFC8037_THUMBPRINT.slice(1) }],
    [{ jkt: `A${RFC8037_THUMBPRINT}` }],
    [{ jkt: `${RFC8037_THUMBPRINT}\n` }],
    [{ jkt: RFC8037_THUMBPRINT.replace('_', '/') }],
    [{ jkt: RFC8037_THUMBPRINT.replace(/k$/, 'l') }],
    [{ jwk: null }],
    [{ jwk: 'x' }],
    [{ jwk: [] }],
    [{ jwk: {} }],
    [{ jwk: { crv: 'Ed25519', x } }],
    [{ jwk: { kty: 'OKP', crv: 'Ed25519' } }],
    [{ jwk: { ...RFC8037_JWK, x: '' } }],
    [{ jwk: { ...RFC8037_JWK, x: `A${x}` } }],
    [{ jwk: { ...RFC8037_JWK, x: `${x}=` } }],
    [{ jwk: { ...RFC8037_JWK, x: x.replace(/o$/, 'p') } }],
    [{ jwk: { ...RFC8037_JWK, x: `${x.slice(1)} ` } }],
  ])('refuses %j [B8]', (cnf) => {
    expect(verdict({ cnf })).toBe('confirmation_malformed');
  });

  it('refuses a private key, and a key that may not verify Ed25519 [A8]', () => {
    const wrong = [
      { d: x },
      { d: null },
      { use: 'enc' },
      { key_ops: ['sign'] },
      { key_ops: 'verify' },
      { alg: 'ES256' },
    ];
    for (const members of wrong) {
      expect(verdict({ cnf: { jwk: { ...RFC8037_JWK, ...members } } })).toBe('confirmation_malformed');
    }
  });

  it('refuses a thumbprint and a key that disagree [B8]', () => {
    expect(verdict({ cnf: { jkt: OTHER_THUMBPRINT, jwk: RFC8037_JWK } })).toBe('confirmation_malformed');
    expect(verdict({ cnf: { jkt: RFC8037_THUMBPRINT, jwk: RFC8037_JWK } })).toBe('ok');
  });
});
