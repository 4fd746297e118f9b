import { generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { jwkThumbprint, SignatureError, type ThumbprintKey } from '../src/index.js';
import { describeVectors } from './support/vectors.js';

describe('JWK thumbprint (RFC 7638)', () => {
  it('matches RFC 8037 A.3', () => {
    const jwk = { kty: 'OKP', crv: 'Ed25519', x: '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo' };
    expect(jwkThumbprint(jwk)).toBe('kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k');
  });

  it('is the same for the private key, with members in any order', () => {
    const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const jwk = publicKey.export({ format: 'jwk' });
    const shuffled = Object.fromEntries(Object.entries({ ...jwk, kid: 'x', use: 'sig' }).toReversed());
    expect(jwkThumbprint(shuffled)).toBe(jwkThumbprint(jwk));
    expect(jwkThumbprint(privateKey.export({ format: 'jwk' }))).toBe(jwkThumbprint(jwk));
  });

  it.each<ThumbprintKey>([
    {},
    { kty: 'oct' },
    { kty: 'toString' },
    { kty: 'OKP', crv: 'Ed25519' },
    { kty: 'RSA', n: 'AQAB', e: 1 as unknown as string },
  ])('refuses %j', (jwk) => {
    expect(() => jwkThumbprint(jwk)).toThrow(SignatureError);
  });
});

describeVectors(
  'JWK thumbprint vectors',
  'web-bot-auth/packages/jsonwebkey-thumbprint/test/fixtures/vectors.json',
  (vectors) => {
    it('agrees with every vector', () => {
      for (const { name, jwk, thumbprint } of vectors.json() as { name: string; jwk: string; thumbprint: string }[]) {
        expect(jwkThumbprint(JSON.parse(jwk) as ThumbprintKey), name).toBe(thumbprint);
      }
    });
  },
);
