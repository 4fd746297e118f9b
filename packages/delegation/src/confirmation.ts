import { createHash } from 'node:crypto';
import { isJsonObject, type JsonObject, member } from './json.js';
import { type DelegationRefusal, refuse } from './refusal.js';

/** An Ed25519 public key as a JWK (RFC 8037 §2), reduced to the members that make it up. */
export interface Ed25519PublicJwk {
  readonly kty: 'OKP';
  readonly crv: 'Ed25519';
  /** The 32 bytes of the key in base64url. */
  readonly x: string;
}

/** The key whose possession the presenter must prove (RFC 7800): `cnf`. */
export interface Confirmation {
  /** RFC 7638 SHA-256 thumbprint of the key (RFC 9449 §6.1), computed from `jwk` where the token carries only that. */
  readonly jkt: string;
  /** The key itself, where the token carries it: the issuer then vouches for it. */
  readonly jwk?: Ed25519PublicJwk;
}

type ConfirmationRefusal = DelegationRefusal<'confirmation_malformed' | 'confirmation_unsupported'>;

// 32 bytes in base64url; the last character holds four bits, so only these sixteen are canonical there.
const BASE64URL_32_BYTES = /^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$/;

// These members ask for a proof that is not supported. Unknown members may be ignored (RFC 7800 §3.1), but a
// binding that is known and cannot be checked must not be dropped.
const UNSUPPORTED_METHODS = ['jwe', 'jku', 'x5t#S256'];

/** Reads a `cnf` claim. Refuses one whose binding would otherwise be silently dropped. */
export function readConfirmation(
  value: unknown,
): { readonly ok: true; readonly confirmation: Confirmation } | ConfirmationRefusal {
  if (!isJsonObject(value)) return refuse('confirmation_malformed');
  if (UNSUPPORTED_METHODS.some((method) => Object.hasOwn(value, method))) return refuse('confirmation_unsupported');

  const jkt = member(value, 'jkt');
  const rawJwk = member(value, 'jwk');
  if (jkt !== undefined && !isBase64urlOf32Bytes(jkt)) return refuse('confirmation_malformed');
  if (rawJwk === undefined) {
    return jkt === undefined ? refuse('confirmation_unsupported') : { ok: true, confirmation: { jkt } };
  }

  const read = readEd25519PublicJwk(rawJwk);
  if (!read.ok) return read;
  const thumbprint = ed25519Thumbprint(read.jwk);
  // One cnf confirms one key (RFC 7800 §3.1): two that differ would leave the choice to the reader.
  if (jkt !== undefined && jkt !== thumbprint) return refuse('confirmation_malformed');
  return { ok: true, confirmation: { jkt: thumbprint, jwk: read.jwk } };
}

function readEd25519PublicJwk(
  value: unknown,
): { readonly ok: true; readonly jwk: Ed25519PublicJwk } | ConfirmationRefusal {
  if (!isJsonObject(value) || typeof member(value, 'kty') !== 'string') return refuse('confirmation_malformed');
  if (member(value, 'kty') !== 'OKP' || member(value, 'crv') !== 'Ed25519') return refuse('confirmation_unsupported');
  const x = member(value, 'x');
  // A private key in a token is public from then on, so it proves nothing.
  if (!isBase64urlOf32Bytes(x) || Object.hasOwn(value, 'd') || !mayVerify(value)) {
    return refuse('confirmation_malformed');
  }
  return { ok: true, jwk: { kty: 'OKP', crv: 'Ed25519', x } };
}

/** Whether `use`, `key_ops` and `alg` (RFC 7517 §4), where present, allow an Ed25519 verification. */
function mayVerify(jwk: JsonObject): boolean {
  const use = member(jwk, 'use');
  const operations = member(jwk, 'key_ops');
  const algorithm = member(jwk, 'alg');
  return (
    (use === undefined || use === 'sig') &&
    (operations === undefined || (Array.isArray(operations) && operations.includes('verify'))) &&
    (algorithm === undefined || algorithm === 'Ed25519' || algorithm === 'EdDSA')
  );
}

export function isBase64urlOf32Bytes(value: unknown): value is string {
  return typeof value === 'string' && BASE64URL_32_BYTES.test(value);
}

/** RFC 7638 §3 thumbprint; RFC 8037 §2 names crv, kty and x as the required members, in this order. */
function ed25519Thumbprint({ crv, kty, x }: Ed25519PublicJwk): string {
  return createHash('sha256').update(JSON.stringify({ crv, kty, x })).digest('base64url');
}
