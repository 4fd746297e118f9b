import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import type { TestKey } from './keys.js';
import type { Field, RawRequest } from './signed-request.js';
import type { Claims } from './tokens.js';

/** A DPoP client (RFC 9449) of strings and node:crypto only. It can also break every rule. */
export interface ProofKey {
  readonly jwk: Claims;
  readonly algorithm: string;
  /** RFC 7638. */
  readonly thumbprint: string;
  sign(data: Buffer): Buffer;
}

export function ed25519ProofKey({ publicJwk, thumbprint, sign: signWith }: TestKey): ProofKey {
  return { jwk: publicJwk, algorithm: 'EdDSA', thumbprint, sign: signWith };
}

export function es256ProofKey(): ProofKey & { readonly privateKey: KeyObject } {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const { crv, kty, x, y } = publicKey.export({ format: 'jwk' });
  const thumbprint = createHash('sha256').update(JSON.stringify({ crv, kty, x, y })).digest('base64url');
  return {
    jwk: { kty, crv, x, y },
    algorithm: 'ES256',
    thumbprint,
    privateKey,
    sign: (data) => sign('sha256', data, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
  };
}

export interface ProofOptions {
  readonly key: ProofKey;
  readonly token: string;
  readonly method: string;
  /** Without query and fragment. */
  readonly uri: string;
  /** Changes of the right claims and header; undefined removes one. */
  readonly claims?: Claims;
  readonly header?: Claims;
  readonly sign?: (data: Buffer) => Uint8Array;
}

export function dpopProof({ key, token, method, uri, claims, header, sign: signWith }: ProofOptions): string {
  const now = Math.floor(Date.now() / 1000);
  const ath = createHash('sha256').update(token).digest('base64url');
  const payload = { jti: crypto.randomUUID(), htm: method, htu: uri, iat: now, ath, ...claims };
  const input = [{ typ: 'dpop+jwt', alg: key.algorithm, jwk: key.jwk, ...header }, payload]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.');
  const signature = (signWith ?? key.sign)(Buffer.from(input));
  return `${input}.${Buffer.from(signature).toString('base64url')}`;
}

/** The request that carries this token and these proofs, and no signature. */
export function dpopRequest(
  options: Pick<RawRequest, 'method' | 'target'> & {
    readonly host: string;
    readonly token?: string;
    readonly proofs: readonly string[];
    readonly fields?: readonly Field[];
    readonly body?: string;
  },
): RawRequest {
  const { method, target, host, token, proofs, fields = [], body = '' } = options;
  const bodyFields: readonly Field[] =
    body === ''
      ? []
      : [
          ['Content-Type', 'application/json'],
          ['Content-Length', String(Buffer.byteLength(body))],
        ];
  return {
    method,
    target,
    fields: [
      ['Host', host],
      ...(token === undefined ? [] : [['Authorization', `DPoP ${token}`] as const]),
      ...proofs.map((proof): Field => ['DPoP', proof]),
      ...fields,
      ...bodyFields,
    ],
    body: Buffer.from(body),
  };
}
