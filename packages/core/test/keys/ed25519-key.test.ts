import { createHash, sign, createPrivateKey, verify } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readPublicKey } from '../../src/keys/ed25519-key.js';
import { newEd25519Key } from './test-keys.js';

const key = newEd25519Key();

describe('readPublicKey', () => {
  it('reads padded base64, base64url and a JWK to the same key', () => {
    const readings = [key.base64, key.x, key.jwk, { ...key.jwk, use: 'sig', key_ops: ['verify'], alg: 'EdDSA' }].map(
      readPublicKey,
    );
    const thumbprint = createHash('sha256').update(`{"crv":"Ed25519","kty":"OKP","x":"${key.x}"}`).digest('base64url');
    for (const reading of readings) {
      expect(reading).toMatchObject({ ok: true, thumbprint });
      if (!reading.ok) continue;
      const data = Buffer.from('data');
      const signature = sign(null, data, createPrivateKey({ key: key.privateJwk, format: 'jwk' }));
      expect(verify(null, data, reading.publicKey, signature)).toBe(true);
    }
  });

  it.each([
    ['RFC 9421', 'JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs'],
    ['RFC 8037', '11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo'],
  ])('the published test key of %s is refused in every form [A11]', (rfc, x) => {
    const forms = [x, Buffer.from(x, 'base64url').toString('base64'), { kty: 'OKP', crv: 'Ed25519', x, kid: 'mine' }];
    const problem = expect.stringContaining(`the published test key of ${rfc}`);
    for (const form of forms) expect(readPublicKey(form)).toMatchObject({ ok: false, problem });
  });

  it('a key of the test kit is refused [A11]', () => {
    const problem = expect.stringContaining('a key of @countersign/testing');
    expect(readPublicKey({ ...key.jwk, kid: 'countersign-testing' })).toMatchObject({ ok: false, problem });
  });

  it.each([
    ['all zero', '00'.repeat(32)],
    ['the identity', `01${'00'.repeat(31)}`],
    ['order two', `ec${'ff'.repeat(30)}7f`],
    ['order eight', 'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a'],
    ['y above p', `ee${'ff'.repeat(30)}7f`],
    ['all ones', 'ff'.repeat(32)],
  ])('a weak point is refused: %s [A15]', (_, hex) => {
    const raw = Buffer.from(hex, 'hex');
    expect(readPublicKey(raw.toString('base64'))).toMatchObject({
      ok: false,
      problem: expect.stringMatching(/weak point/),
    });
    expect(readPublicKey({ kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url') })).toMatchObject({ ok: false });
  });

  it.each([
    ['a private JWK', key.privateJwk, /private key/],
    ['another use', { ...key.jwk, use: 'enc' }, /'use'/],
    ['no verify operation', { ...key.jwk, key_ops: ['sign'] }, /'key_ops'/],
    ['operations that are no list', { ...key.jwk, key_ops: 'verify' }, /'key_ops'/],
    ['another algorithm', { ...key.jwk, alg: 'ES256' }, /'alg'/],
    ['HMAC', { ...key.jwk, alg: 'HS256' }, /'alg'/],
    ['X25519', { ...key.jwk, crv: 'X25519' }, /curve/],
    ['Ed448', { ...key.jwk, crv: 'Ed448' }, /curve/],
    ['a symmetric key', { kty: 'oct', k: key.x }, /OKP/],
    ['no x', { kty: 'OKP', crv: 'Ed25519' }, /no 'x'/],
    ['x with padding', { ...key.jwk, x: `${key.x}=` }, /canonical/],
    ['x with white space', { ...key.jwk, x: ` ${key.x}` }, /canonical/],
    ['31 bytes', { ...key.jwk, x: Buffer.alloc(31, 7).toString('base64url') }, /31 bytes/],
    ['33 bytes', Buffer.alloc(33, 7).toString('base64'), /33 bytes/],
    ['a TweetNaCl secret key', Buffer.alloc(64, 7).toString('base64'), /secret key/],
    ['empty text', '', /0 bytes/],
    ['a trailing newline', `${key.base64}\n`, /canonical/],
    ['a PEM', '-----BEGIN PUBLIC KEY-----', /canonical/],
  ])('refused with the reason: %s [A8]', (_, input, problem) => {
    expect(readPublicKey(input as string)).toMatchObject({ ok: false, problem: expect.stringMatching(problem) });
  });

  it('set unused bits give no second spelling of a key [A15]', () => {
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_';
    const spellings = alphabet
      .split('')
      .map((last) => key.x.slice(0, 42) + last)
      .filter((text) => readPublicKey(text).ok);
    expect(spellings.filter((text) => Buffer.from(text, 'base64url').toString('base64url') === key.x)).toEqual([key.x]);
    for (const text of spellings) expect(Buffer.from(text, 'base64url').toString('base64url')).toBe(text);
  });

  it('never throws', () => {
    fc.assert(fc.property(fc.string(), (text) => typeof readPublicKey(text).ok === 'boolean'));
    fc.assert(fc.property(fc.anything(), (value) => typeof readPublicKey(value as string).ok === 'boolean'));
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), (raw) => {
        expect(typeof readPublicKey(Buffer.from(raw).toString('base64')).ok).toBe('boolean');
      }),
    );
  });
});
