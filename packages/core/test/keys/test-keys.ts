import { generateKeyPairSync, type JsonWebKey } from 'node:crypto';

export interface TestKey {
  readonly x: string;
  /** As the article prints it. */
  readonly base64: string;
  readonly jwk: { readonly kty: 'OKP'; readonly crv: 'Ed25519'; readonly x: string };
  readonly privateJwk: JsonWebKey;
}

export function newEd25519Key(): TestKey {
  const privateJwk = generateKeyPairSync('ed25519').privateKey.export({ format: 'jwk' });
  const x = String(privateJwk.x);
  return {
    x,
    base64: Buffer.from(x, 'base64url').toString('base64'),
    jwk: { kty: 'OKP', crv: 'Ed25519', x },
    privateJwk,
  };
}
