import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import type { PublicJwk } from '@countersign/core';
import { SignJWT } from 'jose';
import { keyNamed } from './keys.js';

/** An issuer of access tokens. */
export interface TestIssuer {
  readonly issuer: string;
  readonly privateKey: KeyObject;
  readonly algorithm: string;
  readonly kid: string;
  readonly jwk: PublicJwk;
}

export type Claims = Readonly<Record<string, unknown>>;

export function ed25519Issuer(issuer: string, kid: string): TestIssuer {
  const { privateKey, publicJwk } = keyNamed(`issuer ${issuer} ${kid}`);
  return { issuer, privateKey, algorithm: 'EdDSA', kid, jwk: { ...publicJwk, kid } };
}

export function rsaIssuer(issuer: string, kid: string): TestIssuer {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { issuer, privateKey, algorithm: 'RS256', kid, jwk: { ...publicJwkOf(publicKey), kid, alg: 'RS256' } };
}

function publicJwkOf(key: KeyObject): PublicJwk {
  return key.export({ format: 'jwk' });
}

/** A token with these claims and header parameters; undefined removes one. */
export function accessToken(issuer: TestIssuer, claims: Claims, header: Claims = {}): Promise<string> {
  return new SignJWT(defined(claims))
    .setProtectedHeader(
      defined({ typ: 'at+jwt', alg: issuer.algorithm, kid: issuer.kid, ...header }) as { alg: string },
    )
    .sign(issuer.privateKey);
}

/** A token of any header and payload text, also one that no library would write, signed by `sign`. */
export function rawToken(header: string, payload: string, makeSignature: (input: Buffer) => Uint8Array): string {
  const input = `${encoded(header)}.${encoded(payload)}`;
  return `${input}.${Buffer.from(makeSignature(Buffer.from(input))).toString('base64url')}`;
}

/** Signs with the issuer's own Ed25519 key, so that the token is genuine. */
export function signedBy({ privateKey }: TestIssuer): (input: Buffer) => Buffer {
  return (input) => sign(null, input, privateKey);
}

/** The public key as PEM, which an algorithm-confused verifier takes for an HMAC secret. */
export function publicPem({ privateKey }: TestIssuer): string {
  return createPublicKey(createPrivateKey(privateKey.export({ format: 'pem', type: 'pkcs8' })))
    .export({ format: 'pem', type: 'spki' })
    .toString();
}

function encoded(text: string): string {
  return Buffer.from(text).toString('base64url');
}

function defined(members: Claims): Record<string, unknown> {
  return Object.fromEntries(Object.entries(members).filter(([, value]) => value !== undefined));
}
