import { describe, expect, it } from 'vitest';
import { type IssuerKey, readIssuerKey, readIssuerKeySet, selectKey } from '../../../src/stages/token/issuer-key.js';
import { defaultAlgorithms, signatureAlgorithms } from '../../../src/stages/token/signature-algorithms.js';
import { newIssuerKey } from './tokens.js';

const ed = newIssuerKey('Ed25519').jwk;
const ec = newIssuerKey('ES256').jwk;
const rsa = newIssuerKey('RS256').jwk;

function algorithmsOf(jwk: unknown): readonly string[] | string {
  const read = readIssuerKey(jwk, signatureAlgorithms);
  return read.kind === 'key' ? read.key.algorithms : read.kind;
}

function keys(...jwks: unknown[]): readonly IssuerKey[] {
  const read = readIssuerKeySet({ keys: jwks }, defaultAlgorithms);
  return read.ok ? read.value : [];
}

it('reads no set of more keys than issuers have, as each takes up to a millisecond to import [D8]', () => {
  expect(keys(...Array.from({ length: 100 }, () => ed))).toHaveLength(100);
  expect(readIssuerKeySet({ keys: Array.from({ length: 101 }, () => ed) }, defaultAlgorithms)).toMatchObject({
    ok: false,
    problem: 'it has 101 keys; at most 100 are accepted',
  });
});

describe('the algorithms that can be switched on', () => {
  it('are asymmetric, by name [B1]', () => {
    expect(signatureAlgorithms).toEqual([
      'Ed25519',
      'EdDSA',
      'ES256',
      'ES384',
      'ES512',
      'PS256',
      'PS384',
      'PS512',
      'RS256',
      'RS384',
      'RS512',
    ]);
    expect(defaultAlgorithms).toEqual(['Ed25519', 'EdDSA', 'ES256', 'ES384', 'PS256', 'RS256']);
  });
});

describe('readIssuerKey', () => {
  it('the type of the key decides what it may verify, also without alg (GHSA-f67f-6cw9-8mq4) [B1]', () => {
    expect(algorithmsOf(ed)).toEqual(['Ed25519', 'EdDSA']);
    expect(algorithmsOf(ec)).toEqual(['ES256']);
    expect(algorithmsOf(newIssuerKey('ES384').jwk)).toEqual(['ES384']);
    expect(algorithmsOf(rsa)).toEqual(['PS256', 'PS384', 'PS512', 'RS256', 'RS384', 'RS512']);
  });

  it('alg narrows it, and never widens it [B1]', () => {
    expect(algorithmsOf({ ...rsa, alg: 'PS256' })).toEqual(['PS256']);
    expect(algorithmsOf({ ...ed, alg: 'EdDSA' })).toEqual(['Ed25519', 'EdDSA']);
    expect(algorithmsOf({ ...ed, alg: 'Ed25519' })).toEqual(['Ed25519', 'EdDSA']);
    for (const alg of ['ES384', 'RS256', 'HS256', 'none', 'Ed448', '', null, 7]) {
      expect(algorithmsOf({ ...ec, alg })).toBe('irrelevant');
    }
    const narrowed = readIssuerKey(rsa, ['ES256', 'RS256']);
    expect(narrowed).toMatchObject({ kind: 'key', key: { algorithms: ['RS256'] } });
  });

  it.each([
    [{ ...ec, use: 'enc' }],
    [{ ...ec, key_ops: ['sign'] }],
    [{ ...ec, key_ops: 'verify' }],
    [{ ...ec, use: 'SIG' }],
    [{ kty: 'OKP', crv: 'X25519', x: ed.x }],
    [{ kty: 'EC', crv: 'secp256k1', x: ec.x, y: ec.y }],
    [{ kty: 'AKP', alg: 'ML-DSA-44', pub: 'AA' }],
    [{}],
  ])('a key for something else is passed over: %# [A8]', (jwk) => expect(algorithmsOf(jwk)).toBe('irrelevant'));

  it.each([
    ['no object', 'text', /not an object/],
    ['a symmetric key', { kty: 'oct', k: 'c2VjcmV0', alg: 'HS256' }, /symmetric/],
    ['a key of the test kit', { ...ed, kid: 'countersign-testing' }, /countersign.testing/],
    ['a private Ed25519 key', { ...ed, d: ed.x }, /private key/],
    ['a private RSA key', { ...rsa, d: 'AQAB' }, /private key/],
    ['a point that is not on its curve', { ...ec, y: ec.x }, /imported/],
    ['no point', { kty: 'EC', crv: 'P-256' }, /imported/],
    ['a weak Ed25519 point [A15]', { ...ed, x: Buffer.alloc(32).toString('base64url') }, /weak point/],
    ['a kid that is no text', { ...ec, kid: 7 }, /'kid'/],
    ['a short modulus', { kty: 'RSA', e: 'AQAB', n: Buffer.alloc(128, 0xc5).toString('base64url') }, /2048/],
    ['exponent 1', { ...rsa, e: 'AQ' }, /exponent/],
    ['exponent 3', { ...rsa, e: 'Aw' }, /exponent/],
    ['an even exponent', { ...rsa, e: 'AQAC' }, /exponent/],
  ])('refused with the reason: %s', (_, jwk, problem) => {
    expect(readIssuerKey(jwk, signatureAlgorithms)).toMatchObject({
      kind: 'refused',
      problem: expect.stringMatching(problem),
    });
  });
});

describe('selectKey', () => {
  const first = { ...newIssuerKey('ES256').jwk, kid: 'first' };
  const second = { ...newIssuerKey('ES256').jwk, kid: 'second' };

  it('takes the key of this kid, if it fits the algorithm', () => {
    expect(selectKey(keys(first, second), { alg: 'ES256', kid: 'second' })).toMatchObject({ kid: 'second' });
    expect(selectKey(keys(first, second), { alg: 'RS256', kid: 'second' })).toBeUndefined();
    expect(selectKey(keys(first, second), { alg: 'ES256', kid: 'third' })).toBeUndefined();
    expect(selectKey(keys(ec), { alg: 'ES256', kid: 'third' })).toBeUndefined();
  });

  it('without kid takes the only key that fits, and none when several do [B2]', () => {
    expect(selectKey(keys(first, ed, rsa), { alg: 'ES256' })).toMatchObject({ kid: 'first' });
    expect(selectKey(keys(first, second), { alg: 'ES256' })).toBeUndefined();
    expect(selectKey(keys(), { alg: 'ES256' })).toBeUndefined();
  });

  it('a kid that two fitting keys have means neither [B2]', () => {
    expect(selectKey(keys(first, { ...second, kid: 'first' }), { alg: 'ES256', kid: 'first' })).toBeUndefined();
    expect(selectKey(keys(first, { ...rsa, kid: 'first' }), { alg: 'ES256', kid: 'first' })).toMatchObject({
      kid: 'first',
    });
  });

  it('a kid finds nothing on a prototype [B2]', () => {
    for (const kid of ['__proto__', 'constructor', 'toString']) {
      expect(selectKey(keys(first), { alg: 'ES256', kid })).toBeUndefined();
    }
  });
});
