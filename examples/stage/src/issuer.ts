import { generateKeyPairSync } from 'node:crypto';
import type { IssuerOptions } from '@countersign/core';
import { mintDelegation } from '@countersign/delegation';

/** A stand-in for your identity provider, without a server of its own. */
export interface Issuer {
  /** For `issuers` of `createGuard`: its name, and the keys that verify its tokens. */
  readonly trusted: IssuerOptions;
  /** The token with which `user` delegates `scope` to `agent`, for five minutes. */
  delegate(handOver: { readonly user: string; readonly agent: string; readonly scope: string }): Promise<string>;
}

export function createIssuer(audience: string): Issuer {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const issuer = 'https://id.acme.dev';
  const keyId = 'issuer-key-1';
  const jwk = { ...publicKey.export({ format: 'jwk' }), kid: keyId, alg: 'EdDSA', use: 'sig' };
  return {
    trusted: { issuer, jwks: { keys: [jwk] } },
    delegate: (handOver) =>
      mintDelegation({
        ...handOver,
        issuer,
        key: privateKey,
        keyId,
        audience,
        lifetimeSeconds: 300,
        now: Math.floor(Date.now() / 1000),
      }),
  };
}
