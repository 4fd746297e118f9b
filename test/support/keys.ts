import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign } from 'node:crypto';

/** A test agent with its key, made with node:crypto only, so that it is independent of the tested code. */
export interface TestKey {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  readonly publicJwk: { readonly kty: 'OKP'; readonly crv: 'Ed25519'; readonly x: string };
  /** The 32 bytes in base64. */
  readonly publicBase64: string;
  /** RFC 7638. */
  readonly thumbprint: string;
  sign(data: Uint8Array): Buffer;
}

/** The key of a 32-byte seed (RFC 8032 §5.1.5), wrapped as RFC 8410 §7 prints it. */
export function keyFromSeed(seed: Uint8Array): TestKey {
  const der = Buffer.concat([Buffer.from('302e020100300506032b657004220420', 'hex'), seed]);
  const privateKey = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
  const publicKey = createPublicKey(privateKey);
  const { x = '' } = publicKey.export({ format: 'jwk' });
  const publicJwk = { kty: 'OKP', crv: 'Ed25519', x } as const;
  return {
    privateKey,
    publicKey,
    publicJwk,
    publicBase64: Buffer.from(x, 'base64url').toString('base64'),
    thumbprint: thumbprintOf(x),
    sign: (data) => sign(null, data, privateKey),
  };
}

/** The key of a name, always the same, so that a failing test can be repeated. */
export function keyNamed(name: string): TestKey {
  return keyFromSeed(createHash('sha256').update(`countersign test key ${name}`).digest());
}

/** RFC 7638 §3 of an Ed25519 key with this `x`. */
export function thumbprintOf(x: string): string {
  return createHash('sha256').update(`{"crv":"Ed25519","kty":"OKP","x":"${x}"}`).digest('base64url');
}
