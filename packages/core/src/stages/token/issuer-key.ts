import { createPublicKey, type KeyObject } from 'node:crypto';
import { isWeakEd25519Key } from '@countersign/signature';
import { isJsonObject, type JsonObject, member, testKeyId } from '@countersign/common';
import { keysOfJwkSet } from '../../model/jwk.js';
import type { JwsHeader } from './jws-gate.js';
import { algorithmsFor } from './signature-algorithms.js';

/** A verification key of an issuer. */
export interface IssuerKey {
  readonly kid?: string;
  /** What it may verify: what fits its type, narrowed by its own `alg` and by the issuer's options. */
  readonly algorithms: readonly string[];
  readonly publicKey: KeyObject;
}

/** `irrelevant`: a key for something else, as sets contain them. `refused`: a key that should not be in the set. */
export type IssuerKeyReading =
  | { readonly kind: 'key'; readonly key: IssuerKey }
  | { readonly kind: 'irrelevant' }
  | { readonly kind: 'refused'; readonly problem: string };

/** Reads one JWK of an issuer. Never throws. */
export function readIssuerKey(jwk: unknown, allowed: readonly string[]): IssuerKeyReading {
  if (!isJsonObject(jwk)) return refused('it is not an object');
  // RFC 7517 §9.2: a published private or shared key proves nothing any more.
  if (member(jwk, 'kty') === 'oct') return refused('it is a symmetric key; everybody who verifies could also sign');
  if (Object.hasOwn(jwk, 'd')) return refused("it has a 'd', so it is a private key; publish the public key only");
  if (member(jwk, 'kid') === testKeyId)
    return refused('it is a key of @countersign/testing, which counts in tests only');
  const algorithms = algorithmsOf(jwk).filter((name) => allowed.includes(name));
  if (algorithms.length === 0 || !mayVerify(jwk)) return { kind: 'irrelevant' };
  const kid = member(jwk, 'kid');
  if (kid !== undefined && typeof kid !== 'string') return refused("its 'kid' is not a string");
  const publicKey = importKey(jwk);
  if (publicKey === undefined) return refused('it cannot be imported');
  const problem = weakness(publicKey, jwk);
  if (problem !== undefined) return refused(problem);
  return { kind: 'key', key: { ...(kid !== undefined && { kid }), algorithms, publicKey } };
}

/**
 * The key's own type decides what it may verify, also where the JWK has no `alg`: were it the token's header, a token
 * could pick the algorithm for a key that was never meant for it (GHSA-f67f-6cw9-8mq4).
 */
function algorithmsOf(jwk: JsonObject): readonly string[] {
  const fitting = algorithmsFor(member(jwk, 'kty'), member(jwk, 'crv'));
  const own = member(jwk, 'alg');
  if (own === undefined) return fitting;
  // RFC 9864: two names of one algorithm.
  if (own === 'EdDSA' || own === 'Ed25519') return fitting.filter((name) => name === 'EdDSA' || name === 'Ed25519');
  return fitting.filter((name) => name === own);
}

/** RFC 7517 §4.2, §4.3. */
function mayVerify(jwk: JsonObject): boolean {
  const use = member(jwk, 'use');
  const operations = member(jwk, 'key_ops');
  const forVerifying = operations === undefined || (Array.isArray(operations) && operations.includes('verify'));
  return (use === undefined || use === 'sig') && forVerifying;
}

/** The import checks that a point lies on its curve. */
function importKey(jwk: JsonObject): KeyObject | undefined {
  try {
    return createPublicKey({ key: { ...jwk }, format: 'jwk' });
  } catch {
    return undefined;
  }
}

function weakness(key: KeyObject, jwk: JsonObject): string | undefined {
  if (key.asymmetricKeyType === 'ed25519') {
    const weak = isWeakEd25519Key(Buffer.from(String(member(jwk, 'x')), 'base64url'));
    return weak ? 'it is a weak point: one signature would fit many tokens' : undefined;
  }
  if (key.asymmetricKeyType !== 'rsa') return undefined;
  // RFC 7518 §3.3; FIPS 186-5 §5.4 for the exponent: with 1 the signature is the message itself.
  const { modulusLength = 0, publicExponent = 0n } = key.asymmetricKeyDetails ?? {};
  if (modulusLength < 2048) return 'it is an RSA key of less than 2048 bits';
  if (publicExponent < 65_537n || publicExponent % 2n === 0n) return 'its RSA exponent is too small or even';
  const modulus = BigInt(`0x${Buffer.from(String(member(jwk, 'n')), 'base64url').toString('hex')}`);
  return hasRocaFingerprint(modulus) ? 'it is an RSA key that can be factored (ROCA, CVE-2017-15361)' : undefined;
}

// The primes by which the flawed generator gives itself away: for a random modulus the chance to pass all is 2^-27.
const tellingPrimes = [11, 13, 17, 19, 37, 53, 61, 71, 73, 79, 97, 103, 107, 109, 127, 151, 157];

/**
 * Whether an RSA modulus has the fingerprint of ROCA (CVE-2017-15361): keys made by certain smart cards and TPMs, which
 * can be factored. Their primes, so also their modulus, are powers of 65537 modulo many small primes.
 */
function hasRocaFingerprint(modulus: bigint): boolean {
  return tellingPrimes.every((prime) => powersOf65537(prime).has(Number(modulus % BigInt(prime))));
}

function powersOf65537(prime: number): ReadonlySet<number> {
  const powers = new Set<number>();
  for (let power = 1; !powers.has(power); power = (power * 65_537) % prime) powers.add(power);
  return powers;
}

/** A JWK Set of an issuer: the keys that count, and the problems of those that should not be in it. */
export type IssuerKeySetReading =
  | { readonly ok: true; readonly value: readonly IssuerKey[]; readonly refused: readonly string[] }
  | { readonly ok: false; readonly problem: string };

export function readIssuerKeySet(json: unknown, allowed: readonly string[]): IssuerKeySetReading {
  // Others choose them, and importing one takes up to a millisecond; issuers have fewer than ten.
  const jwks = keysOfJwkSet(json, 100);
  if (!jwks.ok) return jwks;
  const readings = jwks.value.map((jwk) => readIssuerKey(jwk, allowed));
  return {
    ok: true,
    value: readings.flatMap((reading) => (reading.kind === 'key' ? [reading.key] : [])),
    refused: readings.flatMap((reading) => (reading.kind === 'refused' ? [reading.problem] : [])),
  };
}

/**
 * The one key that a header means: by `kid` among those that fit its algorithm, or, without `kid`, the only one that
 * fits. None and several are the same: no key is tried on the chance that it might fit.
 */
export function selectKey(keys: readonly IssuerKey[], { alg, kid }: JwsHeader): IssuerKey | undefined {
  const [key, ...others] = keys.filter(
    (candidate) => candidate.algorithms.includes(alg) && (kid === undefined || candidate.kid === kid),
  );
  return others.length === 0 ? key : undefined;
}

function refused(problem: string): IssuerKeyReading {
  return { kind: 'refused', problem };
}
