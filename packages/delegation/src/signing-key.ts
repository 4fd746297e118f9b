import { createPrivateKey, KeyObject } from 'node:crypto';
import { isCryptoKey, isKeyObject } from 'node:util/types';
import type { CryptoKey, JWK } from 'jose';
import { DelegationError } from './error.js';

/** The private key of a token issuer. */
export type SigningKey = CryptoKey | KeyObject | JWK;

/**
 * Takes a private key in any of its forms, and the one JWS algorithm that fits it. The key decides; an `alg` that the
 * key does not decide on its own (RS512 for an RSA key) is not supported.
 */
export function toSigningKey(
  key: SigningKey,
  keyId: string | undefined,
): { readonly key: KeyObject; readonly algorithm: string; readonly keyId: string | undefined } {
  const privateKey = toKeyObject(key);
  if (privateKey.type !== 'private') throw new DelegationError('key_unusable', 'key must be a private key');
  const algorithm = algorithmOf(privateKey);
  if (algorithm === undefined) {
    throw new DelegationError('key_unusable', 'key must be Ed25519, P-256, P-384, P-521, or RSA of at least 2048 bits');
  }
  return { key: privateKey, algorithm, keyId: keyId ?? ('kid' in key ? key.kid : undefined) };
}

function toKeyObject(key: SigningKey): KeyObject {
  if (isKeyObject(key)) return key;
  try {
    return isCryptoKey(key) ? KeyObject.from(key) : createPrivateKey({ key, format: 'jwk' });
  } catch (cause) {
    throw new DelegationError('key_unusable', 'key must be a CryptoKey, a KeyObject or a JWK, and private', { cause });
  }
}

function algorithmOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): string | undefined {
  switch (asymmetricKeyType) {
    case 'ed25519':
      // RFC 9864 deprecates `EdDSA` in favour of `Ed25519`. Both name the same signature under an Ed25519 key, but the
      // verifiers in common use by gateways and services today (PyJWT, Nimbus and others) know only the old name, and a
      // verifier that knows the new one takes the old one too. The old one stays until that has changed.
      return 'EdDSA';
    case 'ec':
      return { prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512' }[asymmetricKeyDetails?.namedCurve ?? ''];
    case 'rsa':
      return (asymmetricKeyDetails?.modulusLength ?? 0) >= 2048 ? 'RS256' : undefined; // RFC 7518 §3.3
    default:
      return undefined;
  }
}
