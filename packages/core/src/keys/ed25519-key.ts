import { createPublicKey, type KeyObject } from 'node:crypto';
import { isWeakEd25519Key, jwkThumbprint } from '@countersign/signature';
import { isJsonObject, type JsonObject, member, testKeyId } from '@countersign/common';
import type { PublicJwk } from '../model/jwk.js';

export type PublicKeyReading =
  | { readonly ok: true; readonly publicKey: KeyObject; readonly thumbprint: string }
  | { readonly ok: false; readonly problem: string };

/** The keys of RFC 9421 appendix B.1.4 and RFC 8037 appendix A: everybody holds their private halves. */
const publishedTestKeys: ReadonlyMap<string, string> = new Map([
  ['JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs', 'RFC 9421'],
  ['11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo', 'RFC 8037'],
]);

/**
 * Reads an Ed25519 public key: its 32 bytes in base64 (padded, as `nacl.sign.keyPair()` keys are usually printed) or
 * base64url (unpadded, as in a JWK's `x`), or a JWK (RFC 8037 §2). Every byte string has one accepted spelling in
 * each. Refuses private keys, keys for another use, small-order and non-canonical points, for which one signature
 * verifies many messages, and the published test keys of RFC 9421 and RFC 8037. Never throws.
 *
 * @example
 * const key = readPublicKey(Buffer.from(keypair.publicKey).toString('base64'));
 * if (key.ok) key.thumbprint; // the keyid of its signatures (RFC 7638)
 */
export function readPublicKey(input: string | PublicJwk): PublicKeyReading {
  const raw = typeof input === 'string' ? bytesOfText(input) : bytesOfJwk(input);
  if (typeof raw === 'string') return { ok: false, problem: raw };
  const problem = pointProblem(raw);
  if (problem !== undefined) return { ok: false, problem };

  const jwk = { kty: 'OKP', crv: 'Ed25519', x: raw.toString('base64url') };
  return { ok: true, publicKey: createPublicKey({ key: jwk, format: 'jwk' }), thumbprint: jwkThumbprint(jwk) };
}

/** The 32 bytes, or what is wrong. */
function bytesOfText(text: string): Buffer | string {
  const bytes = Buffer.from(text, 'base64');
  const canonical = text === bytes.toString('base64') || text === bytes.toString('base64url');
  if (!canonical) return 'it is not canonical base64';
  if (bytes.length === 64) return 'it has 64 bytes, so it is a secret key; register the 32 bytes of the public key';
  return bytes.length === 32 ? bytes : `it has ${bytes.length} bytes; an Ed25519 public key has 32`;
}

function bytesOfJwk(jwk: unknown): Buffer | string {
  if (!isJsonObject(jwk)) return 'it is neither base64 nor a JWK';
  if (Object.hasOwn(jwk, 'd')) return "it has a 'd', so it is a private key; register the public key only";
  if (member(jwk, 'kid') === testKeyId) return 'it is a key of @countersign/testing, which counts in tests only';
  if (member(jwk, 'kty') !== 'OKP' || member(jwk, 'crv') !== 'Ed25519')
    return 'it is not of type OKP with curve Ed25519';
  const x = member(jwk, 'x');
  if (typeof x !== 'string') return "it has no 'x'";
  return useProblem(jwk) ?? bytesOfX(x);
}

/** RFC 8037 §2: base64url only. */
function bytesOfX(x: string): Buffer | string {
  const bytes = Buffer.from(x, 'base64url');
  if (bytes.toString('base64url') !== x) return "its 'x' is not canonical base64url";
  return bytes.length === 32 ? bytes : `its 'x' has ${bytes.length} bytes; an Ed25519 public key has 32`;
}

/** RFC 7517 §4.2–4.4: a key that says what it is for is for nothing else. */
function useProblem(jwk: JsonObject): string | undefined {
  const use = member(jwk, 'use');
  const operations = member(jwk, 'key_ops');
  const algorithm = member(jwk, 'alg');
  if (use !== undefined && use !== 'sig') return "its 'use' is not 'sig'";
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) {
    return "its 'key_ops' does not include 'verify'";
  }
  if (algorithm !== undefined && algorithm !== 'Ed25519' && algorithm !== 'EdDSA') return "its 'alg' is not 'Ed25519'";
  return undefined;
}

function pointProblem(raw: Buffer): string | undefined {
  if (isWeakEd25519Key(raw))
    return 'it is a weak point (small order or not canonical): one signature would fit many messages';
  const published = publishedTestKeys.get(raw.toString('base64url'));
  return published && `it is the published test key of ${published}, whose private key is public`;
}
