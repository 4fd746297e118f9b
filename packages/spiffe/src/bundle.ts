import { createPublicKey, type KeyObject, X509Certificate } from 'node:crypto';
import { failed, isJsonObject, type JsonObject, member, parseStrictJson, type Reading } from '@countersign/common';
import { readDer } from './der.js';
import { isUsableKey } from './usable-key.js';

/** A key that signs the JWT-SVIDs of a trust domain. */
export interface JwtAuthority {
  readonly kid: string;
  readonly publicKey: KeyObject;
}

/** What a trust domain is known by. */
export interface Bundle {
  readonly jwtAuthorities: readonly JwtAuthority[];
  /** The certificates that sign its X.509-SVIDs. */
  readonly x509Authorities: readonly X509Certificate[];
  /** How often its publisher wants to be asked. */
  readonly refreshSeconds?: number;
  /** Its list of keys is empty: the domain has withdrawn them. One whose keys cannot be read says no such thing. */
  readonly isWithdrawn?: true;
}

/** Whether a bundle says which keys a domain has, if only that it has none any more. */
export function isStatement({ jwtAuthorities, x509Authorities, isWithdrawn }: Bundle): boolean {
  return isWithdrawn === true || jwtAuthorities.length + x509Authorities.length > 0;
}

const mostKeys = 256;

/**
 * Reads a bundle (SPIFFE_Trust_Domain_and_Bundle §4): a JWK Set with `use`. Keys of another use, and keys that cannot be
 * read, are left out, as §4.2.2 says; so are keys that are weak, or too large to verify with. `jwtOnly` is for the Workload API, whose JWK Sets have no `use`.
 */
export function readBundle(bytes: Uint8Array | string, options: { readonly jwtOnly?: boolean } = {}): Reading<Bundle> {
  const json = parseStrictJson(bytes);
  if (!json.ok) return json;
  const keys = isJsonObject(json.value) ? member(json.value, 'keys') : undefined;
  if (!isJsonObject(json.value) || !Array.isArray(keys)) return failed("it has no list of 'keys'");
  if (keys.length > mostKeys) return failed(`it has more than ${mostKeys} keys`);
  const ofUse = (use: string): readonly JsonObject[] =>
    keys
      .filter(isJsonObject)
      .filter((key) => (member(key, 'use') ?? (options.jwtOnly === true ? 'jwt-svid' : '')) === use);
  const jwtAuthorities = ofUse('jwt-svid').flatMap(readJwtAuthority);
  // A token names its key: with several of one name, each token would be verified by all of them.
  const kids = jwtAuthorities.map(({ kid }) => kid);
  if (new Set(kids).size < kids.length) return failed("two of its keys have the same 'kid'");
  const hint = member(json.value, 'spiffe_refresh_hint');
  return {
    ok: true,
    value: {
      jwtAuthorities,
      x509Authorities: ofUse('x509-svid').flatMap(readX509Authority),
      ...(typeof hint === 'number' && hint > 0 && { refreshSeconds: hint }),
      ...(keys.length === 0 && { isWithdrawn: true as const }),
    },
  };
}

function readJwtAuthority(jwk: JsonObject): readonly JwtAuthority[] {
  const kid = member(jwk, 'kid');
  // A private key in a bundle is public from then on, so its signatures say nothing.
  if (typeof kid !== 'string' || kid === '' || 'd' in jwk) return [];
  try {
    const publicKey = createPublicKey({ key: { ...jwk }, format: 'jwk' });
    return isUsableKey(publicKey) ? [{ kid, publicKey }] : [];
  } catch {
    return [];
  }
}

function readX509Authority(jwk: JsonObject): readonly X509Certificate[] {
  const chain = member(jwk, 'x5c');
  const [der, ...others] = Array.isArray(chain) ? chain : [];
  if (typeof der !== 'string' || others.length > 0) return [];
  try {
    return [readCertificate(Buffer.from(der, 'base64'))];
  } catch {
    return [];
  }
}

/** Certificates in DER, one after the other. @throws if it is anything else, or more than a bundle may have. */
export function readCertificates(der: Buffer): readonly X509Certificate[] {
  const elements = readDer(der);
  if (elements.length > mostKeys) throw new Error(`it has more than ${mostKeys} certificates`);
  return elements.map(({ raw }) => readCertificate(raw));
}

/** Node looks for PEM first, also within DER: there, a key or a name may spell another certificate. */
function readCertificate(der: Buffer): X509Certificate {
  const certificate = new X509Certificate(der);
  if (!certificate.raw.equals(der)) throw new Error('a certificate holds another certificate, in PEM');
  return certificate;
}
