import { createHash, generateKeyPairSync, type KeyObject } from 'node:crypto';
import type { PublicJwk } from '../../../src/model/jwk.js';

export interface TestKeyPair {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly jwk: PublicJwk;
  /** RFC 7638. */
  readonly thumbprint: string;
}

export function keyPair(): TestKeyPair {
  const { privateKey, publicKey } = generateKeyPairSync('ed25519');
  const jwk = publicKey.export({ format: 'jwk' }) as PublicJwk;
  const { x = '' } = jwk;
  const thumbprint = createHash('sha256').update(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`).digest('base64url');
  return { privateKey, publicKey, jwk, thumbprint };
}
