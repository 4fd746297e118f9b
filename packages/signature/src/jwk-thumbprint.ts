import { createHash } from 'node:crypto';
import { SignatureError } from './errors.js';

/** The members of a JSON Web Key that enter a thumbprint; others are ignored. */
export interface ThumbprintKey {
  readonly kty?: string | undefined;
  readonly crv?: string | undefined;
  readonly x?: string | undefined;
  readonly y?: string | undefined;
  readonly e?: string | undefined;
  readonly n?: string | undefined;
}

/** The required members of each key type, in lexicographic order (RFC 7638 §3.2, RFC 8037 §2). */
const REQUIRED: Readonly<Record<string, readonly (keyof ThumbprintKey)[]>> = {
  EC: ['crv', 'kty', 'x', 'y'],
  OKP: ['crv', 'kty', 'x'],
  RSA: ['e', 'kty', 'n'],
};

/**
 * The SHA-256 thumbprint of a public key, base64url (RFC 7638). Private members are ignored.
 *
 * @example jwkThumbprint(publicKey.export({ format: 'jwk' }))
 * @throws SignatureError `argument` if the key type is not EC, OKP or RSA, or a required member is not a string
 */
export function jwkThumbprint(jwk: ThumbprintKey): string {
  const { kty } = jwk;
  const names = kty !== undefined && Object.hasOwn(REQUIRED, kty) ? REQUIRED[kty] : undefined;
  if (names === undefined) throw new SignatureError('argument', 'a thumbprint needs an EC, OKP or RSA key');
  const members = names.map((name): [string, string] => {
    const value = jwk[name];
    if (typeof value !== 'string') throw new SignatureError('argument', `the key has no ${name}`);
    return [name, value];
  });
  return createHash('sha256')
    .update(JSON.stringify(Object.fromEntries(members)))
    .digest('base64url');
}
