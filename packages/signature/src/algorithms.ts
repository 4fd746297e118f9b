import {
  constants,
  createHmac,
  type KeyObject,
  sign as nativeSign,
  timingSafeEqual,
  verify as nativeVerify,
} from 'node:crypto';
import { hasCanonicalS } from './ed25519.js';
import type { SignatureAlgorithm, VerificationKey } from './message.js';

interface Padding {
  readonly padding?: number;
  readonly saltLength?: number;
  readonly dsaEncoding?: 'ieee-p1363';
}

interface Algorithm extends Padding {
  readonly hash: string | null;
  /** Verified on the thread pool, which pays only if verifying costs more than the dispatch. */
  readonly pool: boolean;
}

/** RFC 9421 §3.3. `hmac-sha256` is not here: it has no public key. */
const ASYMMETRIC: Readonly<Record<Exclude<SignatureAlgorithm, 'hmac-sha256'>, Algorithm>> = {
  ed25519: { hash: null, pool: true },
  'ecdsa-p256-sha256': { hash: 'sha256', dsaEncoding: 'ieee-p1363', pool: true },
  'ecdsa-p384-sha384': { hash: 'sha384', dsaEncoding: 'ieee-p1363', pool: true },
  'rsa-pss-sha512': { hash: 'sha512', padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: 64, pool: false },
  'rsa-v1_5-sha256': { hash: 'sha256', padding: constants.RSA_PKCS1_PADDING, pool: false },
};

/**
 * `'auto'` verifies Ed25519 and ECDSA on libuv's thread pool and the rest synchronously; `'sync'` verifies everything on
 * the calling thread.
 */
export type CryptoScheduling = 'auto' | 'sync';

/** Verifies with a key that {@link keyProblem} accepted. An error of OpenSSL means an invalid signature. */
export function verifySignature(
  key: VerificationKey,
  data: Buffer,
  signature: Uint8Array,
  scheduling: CryptoScheduling,
): boolean | Promise<boolean> {
  const { algorithm, publicKey } = key;
  if (algorithm === 'hmac-sha256') return verifyHmac(publicKey, data, signature);
  if (!hasPlausibleForm(algorithm, signature)) return false;
  const { hash, pool } = ASYMMETRIC[algorithm];
  const input = inputFor(algorithm, publicKey);
  if (!pool || scheduling === 'sync') return verifyNow(hash, data, input, signature);
  return new Promise((resolve) => {
    nativeVerify(hash, data, input, signature, (error, valid) => resolve(error === null && valid));
  });
}

type KeyInput = KeyObject | (Padding & { readonly key: KeyObject });

function inputFor(algorithm: Exclude<SignatureAlgorithm, 'hmac-sha256'>, key: KeyObject): KeyInput {
  if (algorithm === 'ed25519') return key;
  const { padding, saltLength, dsaEncoding } = ASYMMETRIC[algorithm];
  return {
    key,
    ...(padding !== undefined && { padding }),
    ...(saltLength !== undefined && { saltLength }),
    ...(dsaEncoding !== undefined && { dsaEncoding }),
  };
}

function verifyNow(hash: string | null, data: Buffer, input: KeyInput, signature: Uint8Array): boolean {
  try {
    return nativeVerify(hash, data, input, signature);
  } catch {
    return false;
  }
}

function verifyHmac(secret: KeyObject, data: Buffer, signature: Uint8Array): boolean {
  const expected = createHmac('sha256', secret).update(data).digest();
  return signature.length === expected.length && timingSafeEqual(signature, expected);
}

/** Exact lengths, canonical S and non-zero r and s, because some versions of OpenSSL accept more. */
function hasPlausibleForm(algorithm: SignatureAlgorithm, signature: Uint8Array): boolean {
  switch (algorithm) {
    case 'ed25519':
      return signature.length === 64 && hasCanonicalS(signature);
    case 'ecdsa-p256-sha256':
      return signature.length === 64 && hasTwoNumbers(signature);
    case 'ecdsa-p384-sha384':
      return signature.length === 96 && hasTwoNumbers(signature);
    default:
      return signature.length > 0;
  }
}

function isPositive(bytes: Uint8Array): boolean {
  return bytes.some((byte) => byte !== 0);
}

function hasTwoNumbers(signature: Uint8Array): boolean {
  const half = signature.length / 2;
  return isPositive(signature.subarray(0, half)) && isPositive(signature.subarray(half));
}

/** Signs with a native key. RSA takes milliseconds and goes to the thread pool. */
export function createSignature(
  algorithm: SignatureAlgorithm,
  key: KeyObject,
  data: Uint8Array,
): Uint8Array | Promise<Uint8Array> {
  if (algorithm === 'hmac-sha256') return createHmac('sha256', key).update(data).digest();
  const { hash, pool } = ASYMMETRIC[algorithm];
  const input = inputFor(algorithm, key);
  if (pool) return nativeSign(hash, data, input);
  return new Promise((resolve, reject) => {
    nativeSign(hash, data, input, (error, signature) => (error === null ? resolve(signature) : reject(error)));
  });
}
