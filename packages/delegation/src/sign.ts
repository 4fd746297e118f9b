import { createPrivateKey, KeyObject } from 'node:crypto';
import { isCryptoKey, isKeyObject } from 'node:util/types';
import type { CryptoKey, JWK, JWTPayload } from 'jose';
import { SignJWT } from 'jose/jwt/sign';
import { DelegationError } from './error.js';
import { isIdentifier } from './identifier.js';

/** The private key of a token issuer. */
export type SigningKey = CryptoKey | KeyObject | JWK;

/** Signs a JWT access token (RFC 9068 §2.1). The key decides the algorithm; a JWK may name it by its `alg`. */
export async function signAccessToken(payload: JWTPayload, key: SigningKey, keyId?: string): Promise<string> {
  const privateKey = toPrivateKey(key);
  const named = isJwk(key) ? { alg: key.alg, kid: key.kid } : {};
  const alg = named.alg ?? algorithmOf(privateKey);
  const kid = keyId ?? named.kid;
  if (kid !== undefined && !isIdentifier(kid)) throw unusable('the key id must be an identifier');
  if (alg === undefined) throw unusable('key must be Ed25519, P-256, P-384, P-521 or RSA');
  try {
    // Pass the key to jose unchanged, so that its own restrictions (use, key_ops, alg, usages) hold.
    return await new SignJWT(payload)
      .setProtectedHeader({ typ: 'at+jwt', alg, ...(kid !== undefined && { kid }) })
      .sign(key);
  } catch (cause) {
    throw unusable(`key cannot sign ${alg}`, cause);
  }
}

function toPrivateKey(key: SigningKey): KeyObject {
  try {
    const keyObject = isJwk(key)
      ? createPrivateKey({ key, format: 'jwk' })
      : isCryptoKey(key)
        ? KeyObject.from(key)
        : key;
    if (keyObject.type === 'private') return keyObject;
  } catch (cause) {
    throw unusable('key must be a CryptoKey, a KeyObject or a JWK, and private', cause);
  }
  throw unusable('key must be private');
}

function isJwk(key: SigningKey): key is JWK {
  return !isKeyObject(key) && !isCryptoKey(key);
}

function algorithmOf({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): string | undefined {
  switch (asymmetricKeyType) {
    case 'ed25519':
      // RFC 9864 deprecates `EdDSA` in favour of `Ed25519`. Both name the same signature under an Ed25519 key, but
      // verifiers in common use by gateways and services (PyJWT and Nimbus among them) still know only the old name,
      // and those that know the new one take the old one too. A JWK with `alg: 'Ed25519'` opts into the new one.
      return 'EdDSA';
    case 'rsa':
      return 'RS256';
    case 'ec':
      return { prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512' }[asymmetricKeyDetails?.namedCurve ?? ''];
    default:
      return undefined;
  }
}

function unusable(message: string, cause?: unknown): DelegationError {
  return new DelegationError('key_unusable', message, { cause });
}
