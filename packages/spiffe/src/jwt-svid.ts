import { constants, type KeyObject, verify } from 'node:crypto';
import { failed, isJsonObject, type JsonObject, member, parseStrictJson, type Reading } from '@countersign/common';
import type { JwtAuthority } from './bundle.js';
import { readSpiffeId, type SpiffeId } from './spiffe-id.js';

/** A JWT-SVID that was verified. It is a bearer token: whoever has seen it can send it again. */
export interface VerifiedJwtSvid extends SpiffeId {
  /** Unix seconds. */
  readonly expiresAt: number;
  /** Its `aud`: the one of the audiences asked for that it names. */
  readonly audience: string;
}

export interface JwtSvidTerms {
  /** What its `aud` must be, and nothing besides; or one of several spellings of it. */
  readonly audience: string | readonly string[];
  /** Unix seconds. */
  readonly now: number;
}

/** A JWT-SVID that was read, and not verified. */
export interface UnverifiedJwtSvid extends SpiffeId {
  readonly kid: string;
  verify(authorities: readonly JwtAuthority[], terms: JwtSvidTerms): Reading<VerifiedJwtSvid>;
}

const longestToken = 16_384;
const clockSkewSeconds = 5;

/** JWT-SVID §3.1: asymmetric, and no others. */
const algorithms: Readonly<Record<string, { readonly hash: string; readonly curve?: string; readonly pss?: true }>> = {
  RS256: { hash: 'sha256' },
  RS384: { hash: 'sha384' },
  RS512: { hash: 'sha512' },
  ES256: { hash: 'sha256', curve: 'prime256v1' },
  ES384: { hash: 'sha384', curve: 'secp384r1' },
  ES512: { hash: 'sha512', curve: 'secp521r1' },
  PS256: { hash: 'sha256', pss: true },
  PS384: { hash: 'sha384', pss: true },
  PS512: { hash: 'sha512', pss: true },
};

/**
 * Reads a JWT-SVID, so that the bundle of its trust domain can be found. Nothing in it is verified yet: the keys of all
 * trust domains together would let each sign for the others.
 */
export function readJwtSvid(token: string): Reading<UnverifiedJwtSvid> {
  const [head, body, mac, ...rest] = token.length > longestToken ? [] : token.split('.');
  if (head === undefined || body === undefined || mac === undefined || rest.length > 0) return failed('it is no JWT');
  const [header, claims] = [readPart(head), readPart(body)];
  const signature = decode(mac);
  if (header === undefined || claims === undefined || signature === undefined) return failed('it is no JWT');
  const [alg, typ, kid] = ['alg', 'typ', 'kid'].map((name) => member(header, name));
  const algorithm = typeof alg === 'string' && Object.hasOwn(algorithms, alg) ? algorithms[alg] : undefined;
  if (algorithm === undefined) return failed('its alg is none of a JWT-SVID');
  if (typ !== undefined && typ !== 'JWT' && typ !== 'JOSE') return failed('its typ is that of another token');
  if (typeof kid !== 'string' || kid === '') return failed('it names no key');
  // What is critical changes how a token is to be read (RFC 7515 §4.1.11). We know of nothing such.
  if (member(header, 'crit') !== undefined) return failed('it has a critical header');
  const id = readSpiffeId(member(claims, 'sub'));
  if (id === undefined || id.path === '') return failed('its sub is no SPIFFE ID of a workload');
  const input = Buffer.from(`${head}.${body}`);
  return {
    ok: true,
    value: {
      ...id,
      kid,
      verify(authorities, terms) {
        // First, because a signature costs a thousand times as much.
        const checked = checkClaims(id, claims, terms);
        if (!checked.ok) return checked;
        const key = authorities.find((authority) => authority.kid === kid)?.publicKey;
        const isSigned = key !== undefined && signatureVerifies(input, signature, key, algorithm);
        return isSigned ? checked : failed('no key of its trust domain signed it');
      },
    },
  };
}

function signatureVerifies(
  input: Buffer,
  signature: Buffer,
  key: KeyObject,
  { hash, curve, pss }: { readonly hash: string; readonly curve?: string; readonly pss?: true },
): boolean {
  if (curve !== undefined) {
    const fits = key.asymmetricKeyType === 'ec' && key.asymmetricKeyDetails?.namedCurve === curve;
    return fits && verify(hash, input, { key, dsaEncoding: 'ieee-p1363' }, signature);
  }
  if (key.asymmetricKeyType !== 'rsa') return false;
  const padding = pss === true ? constants.RSA_PKCS1_PSS_PADDING : constants.RSA_PKCS1_PADDING;
  const saltLength = constants.RSA_PSS_SALTLEN_DIGEST;
  return verify(hash, input, { key, padding, ...(pss === true && { saltLength }) }, signature);
}

function checkClaims(id: SpiffeId, claims: JsonObject, { audience, now }: JwtSvidTerms): Reading<VerifiedJwtSvid> {
  const [aud, exp, nbf, iat] = ['aud', 'exp', 'nbf', 'iat'].map((name) => member(claims, name));
  // Each of several audiences could send it on to the others.
  const named: unknown = Array.isArray(aud) && aud.length === 1 ? aud[0] : aud;
  const accepted = [audience].flat().find((each) => each === named);
  if (accepted === undefined) return failed('its aud is not this server alone');
  if (typeof exp !== 'number' || !(now < exp + clockSkewSeconds)) return failed('it has expired');
  for (const moment of [nbf, iat]) {
    if (moment === undefined) continue;
    if (typeof moment !== 'number' || !(moment <= now + clockSkewSeconds)) return failed('it does not count yet');
  }
  return { ok: true, value: { ...id, expiresAt: exp, audience: accepted } };
}

function readPart(text: string): JsonObject | undefined {
  const bytes = decode(text);
  const read = bytes === undefined ? undefined : parseStrictJson(bytes);
  return read?.ok === true && isJsonObject(read.value) ? read.value : undefined;
}

/** Base64url in the one spelling that each text has. */
function decode(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url');
  return bytes.toString('base64url') === text ? bytes : undefined;
}
