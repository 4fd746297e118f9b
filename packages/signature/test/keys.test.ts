import { createSecretKey, generateKeyPairSync } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { nativeSigningKey, type SignatureAlgorithm, SignatureError, verificationKey } from '../src/index.js';

const ed25519 = generateKeyPairSync('ed25519');
const p256 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
const p384 = generateKeyPairSync('ec', { namedCurve: 'P-384' });
const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
const pss = generateKeyPairSync('rsa-pss', {
  modulusLength: 2048,
  hashAlgorithm: 'sha512',
  mgf1HashAlgorithm: 'sha512',
});
const secret = createSecretKey(Buffer.alloc(32, 1));

describe('keys', () => {
  it.each([
    ['ed25519', ed25519],
    ['ecdsa-p256-sha256', p256],
    ['ecdsa-p384-sha384', p384],
    ['rsa-pss-sha512', rsa],
    ['rsa-pss-sha512', pss],
  ] as const)('the type of the key says %s', (algorithm, { publicKey, privateKey }) => {
    expect(verificationKey(publicKey)).toEqual({ algorithm, publicKey });
    expect(nativeSigningKey(privateKey, { keyId: 'k' })).toMatchObject({ algorithm, keyId: 'k' });
  });

  it('use hmac-sha256 only when it is named and the key is a secret [A8]', () => {
    expect(() => verificationKey(secret)).toThrow(SignatureError);
    expect(() => nativeSigningKey(secret, { keyId: 'k' })).toThrow(SignatureError);
    expect(verificationKey(secret, { algorithm: 'hmac-sha256' }).algorithm).toBe('hmac-sha256');
    expect(() => verificationKey(ed25519.publicKey, { algorithm: 'hmac-sha256' })).toThrow(SignatureError);
  });

  it.each<[string, () => unknown]>([
    ['Ed25519 for P-256', () => verificationKey(ed25519.publicKey, { algorithm: 'ecdsa-p256-sha256' })],
    ['P-256 for Ed25519', () => verificationKey(p256.publicKey, { algorithm: 'ed25519' })],
    ['P-384 for P-256', () => verificationKey(p384.publicKey, { algorithm: 'ecdsa-p256-sha256' })],
    ['RSA for Ed25519', () => verificationKey(rsa.publicKey, { algorithm: 'ed25519' })],
    ['RSA-PSS for PKCS #1 v1.5', () => verificationKey(pss.publicKey, { algorithm: 'rsa-v1_5-sha256' })],
    ['an unknown algorithm', () => verificationKey(rsa.publicKey, { algorithm: 'none' as SignatureAlgorithm })],
    [
      'a curve of no algorithm',
      () => verificationKey(generateKeyPairSync('ec', { namedCurve: 'secp256k1' }).publicKey),
    ],
    ['Ed448', () => verificationKey(generateKeyPairSync('ed448').publicKey)],
    ['X25519', () => verificationKey(generateKeyPairSync('x25519').publicKey)],
    ['RSA of 1024 bits', () => verificationKey(generateKeyPairSync('rsa', { modulusLength: 1024 }).publicKey)],
    [
      'RSA-PSS restricted to SHA-256',
      () => verificationKey(generateKeyPairSync('rsa-pss', { modulusLength: 2048, hashAlgorithm: 'sha256' }).publicKey),
    ],
    ['a secret of 31 bytes', () => verificationKey(createSecretKey(Buffer.alloc(31)), { algorithm: 'hmac-sha256' })],
    ['a secret for Ed25519', () => verificationKey(secret, { algorithm: 'ed25519' })],
    ['a private key to verify', () => verificationKey(ed25519.privateKey)],
    ['a public key to sign', () => nativeSigningKey(ed25519.publicKey, { keyId: 'k' })],
  ])('%s is refused [A8]', (_, make) => {
    expect(make).toThrow(SignatureError);
  });
});
