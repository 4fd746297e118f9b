import type { KeyObject } from 'node:crypto';
import { createSignature } from './algorithms.js';
import { isWeakEd25519Key } from './ed25519.js';
import { SignatureError } from './errors.js';
import type { SignatureAlgorithm, SigningKey, VerificationKey } from './message.js';

const CURVES: Readonly<Record<string, SignatureAlgorithm>> = {
  prime256v1: 'ecdsa-p256-sha256',
  secp384r1: 'ecdsa-p384-sha384',
};

const MIN_RSA_BITS = 2048;
const MIN_SECRET_BYTES = 32;

/** Cached checks per key object: keys are long-lived, signatures are many. */
const examined = new WeakMap<KeyObject, Map<SignatureAlgorithm, string | undefined>>();

/**
 * Why this key cannot be used with this algorithm; `undefined` if it can. The type must match exactly: a public key
 * used as an HMAC secret, or a P-256 key used as Ed25519, would be an algorithm confusion.
 */
export function keyProblem(algorithm: SignatureAlgorithm, key: KeyObject): string | undefined {
  const known = examined.get(key) ?? new Map<SignatureAlgorithm, string | undefined>();
  if (known.has(algorithm)) return known.get(algorithm);
  const problem = examine(algorithm, key);
  examined.set(key, known.set(algorithm, problem));
  return problem;
}

function examine(algorithm: SignatureAlgorithm, key: KeyObject): string | undefined {
  if (algorithm === 'hmac-sha256') return secretProblem(key);
  if (key.type === 'secret') return `${algorithm} needs an asymmetric key`;
  if (!algorithmsOf(key).includes(algorithm)) return `a key of type ${describe(key)} is not for ${algorithm}`;
  if (algorithm === 'ed25519') {
    const { x } = key.export({ format: 'jwk' });
    return isWeakEd25519Key(Buffer.from(x ?? '', 'base64url')) ? 'a weak Ed25519 key' : undefined;
  }
  return algorithm.startsWith('rsa') ? rsaProblem(key) : undefined;
}

function secretProblem(key: KeyObject): string | undefined {
  if (key.type !== 'secret') return 'hmac-sha256 needs a secret key';
  return (key.symmetricKeySize ?? 0) < MIN_SECRET_BYTES ? `a secret shorter than ${MIN_SECRET_BYTES} bytes` : undefined;
}

function rsaProblem(key: KeyObject): string | undefined {
  const { modulusLength = 0, hashAlgorithm, mgf1HashAlgorithm, saltLength = 0 } = key.asymmetricKeyDetails ?? {};
  if (modulusLength < MIN_RSA_BITS) return `an RSA key shorter than ${MIN_RSA_BITS} bits`;
  // A key may be restricted to one set of PSS parameters (RFC 4055); the algorithm fixes SHA-512, MGF1-SHA-512, 64.
  const restricted = [hashAlgorithm, mgf1HashAlgorithm].some((name) => name !== undefined && name !== 'sha512');
  return restricted || saltLength > 64 ? 'an RSA-PSS key restricted to other parameters' : undefined;
}

/** The algorithms a key of this type can serve, the default one first. */
function algorithmsOf(key: KeyObject): readonly SignatureAlgorithm[] {
  switch (key.asymmetricKeyType) {
    case 'ed25519':
      return ['ed25519'];
    case 'ec': {
      const algorithm = CURVES[key.asymmetricKeyDetails?.namedCurve ?? ''];
      return algorithm === undefined ? [] : [algorithm];
    }
    case 'rsa':
      return ['rsa-pss-sha512', 'rsa-v1_5-sha256'];
    case 'rsa-pss':
      return ['rsa-pss-sha512'];
    default:
      return [];
  }
}

function describe(key: KeyObject): string {
  return [key.asymmetricKeyType, key.asymmetricKeyDetails?.namedCurve].filter(Boolean).join(' ') || key.type;
}

function choose(key: KeyObject, wanted: SignatureAlgorithm | undefined): SignatureAlgorithm {
  const algorithm = wanted ?? algorithmsOf(key)[0];
  if (algorithm === undefined)
    throw new SignatureError('key', `no algorithm for a key of type ${describe(key)}; name one`);
  const problem = keyProblem(algorithm, key);
  if (problem !== undefined) throw new SignatureError('key', problem);
  return algorithm;
}

/**
 * A signing key backed by node:crypto.
 *
 * @param options.algorithm default: the algorithm of the key type; `rsa-pss-sha512` for RSA. `hmac-sha256` must be
 *   named.
 * @throws SignatureError `key` if the key does not fit
 * @example nativeSigningKey(createPrivateKey(pem), { keyId: 'agent-1' })
 */
export function nativeSigningKey(
  privateKey: KeyObject,
  options: { readonly keyId: string; readonly algorithm?: SignatureAlgorithm },
): SigningKey {
  if (privateKey.type === 'public') throw new SignatureError('key', 'a public key cannot sign');
  const algorithm = choose(privateKey, options.algorithm);
  return { algorithm, keyId: options.keyId, sign: (data) => createSignature(algorithm, privateKey, data) };
}

/**
 * Creates a verification key and checks it once: its type must match the algorithm. Weak Ed25519 keys, RSA below 2048
 * bits and secrets below 32 bytes are refused.
 *
 * @param options.algorithm default: the algorithm of the key type; `rsa-pss-sha512` for RSA. `hmac-sha256` must be
 *   named, and takes a secret key object.
 * @throws SignatureError `key` if the key does not fit
 */
export function verificationKey(
  publicKey: KeyObject,
  options?: { readonly algorithm?: SignatureAlgorithm },
): VerificationKey {
  if (publicKey.type === 'private') throw new SignatureError('key', 'a private key must not be handed to a verifier');
  return { algorithm: choose(publicKey, options?.algorithm), publicKey };
}
