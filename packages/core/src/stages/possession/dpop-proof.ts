import type { KeyObject } from 'node:crypto';
import { jwkThumbprint, normalizeAuthority } from '@countersign/signature';
import {
  failed,
  isJsonObject,
  type JsonObject,
  member,
  parseStrictJson,
  type Reading,
  wireBounds,
} from '@countersign/common';
import { pathOf } from '../../model/request.js';
import type { Origin } from '../address/origin.js';
import { readIssuerKey } from '../token/issuer-key.js';
import { maxHeaderMarks, splitCompactJws } from '../token/jws-gate.js';
import { signatureVerifies } from '../token/issuer-signature.js';

/** What a proof may be signed with: asymmetric only (RFC 9449 §4.3 step 5). */
export const dpopAlgorithms: readonly string[] = ['Ed25519', 'EdDSA', 'ES256'];

/** A DPoP proof whose signature verified with the key that it holds itself. Whose key that is, others must say. */
export interface DpopProof {
  readonly publicKey: KeyObject;
  /** RFC 7638, of the key. */
  readonly thumbprint: string;
  /** `jti` */
  readonly id: string;
  /** `htm` */
  readonly method: string;
  /** `htu` */
  readonly uri: string;
  /** `iat`, unix seconds. */
  readonly issuedAt: number;
  /** `ath` */
  readonly tokenHash: string;
  readonly nonce?: string;
}

/**
 * Reads and verifies a proof (RFC 9449 §4.3) through the strict gate of access tokens: one spelling, one reading, and
 * exactly the header of a proof, so that no token of another kind passes for one. Never rejects.
 */
export async function readDpopProof(text: string): Promise<Reading<DpopProof>> {
  const parts = splitCompactJws(text, wireBounds.dpopProofLength);
  if (parts === undefined) return failed('it is no JWS in compact serialisation');
  const header = parseStrictJson(parts.header, maxHeaderMarks);
  const payload = parseStrictJson(parts.payload);
  if (!header.ok || !isJsonObject(header.value)) return failed('its header cannot be read');
  if (!payload.ok || !isJsonObject(payload.value)) return failed('its payload cannot be read');
  const key = readHeader(header.value);
  if (!key.ok) return key;
  const claims = readClaims(payload.value);
  if (claims === undefined) return failed('its claims are not those of a proof for a token');
  const { algorithm, publicKey, thumbprint } = key.value;
  if (!(await signatureVerifies(text, { publicKey }, algorithm))) return failed('its signature does not verify');
  return { ok: true, value: { ...claims, publicKey, thumbprint } };
}

interface ProofKey {
  readonly algorithm: string;
  readonly publicKey: KeyObject;
  readonly thumbprint: string;
}

function readHeader(header: JsonObject): Reading<ProofKey> {
  const names = Object.keys(header);
  if (member(header, 'typ') !== 'dpop+jwt' || !names.every((name) => ['typ', 'alg', 'jwk', 'kid'].includes(name))) {
    return failed('its header is not { typ, alg, jwk } of a proof');
  }
  const algorithm = member(header, 'alg');
  if (typeof algorithm !== 'string' || !dpopAlgorithms.includes(algorithm)) return failed('its alg is not accepted');
  const read = readIssuerKey(member(header, 'jwk'), dpopAlgorithms);
  if (read.kind === 'refused') return failed(`its jwk is refused: ${read.problem}`);
  if (read.kind === 'irrelevant' || !read.key.algorithms.includes(algorithm)) return failed('its jwk does not fit');
  const { publicKey } = read.key;
  // Of the key as it was imported: a JWK has many spellings, its key one thumbprint.
  const thumbprint = jwkThumbprint(publicKey.export({ format: 'jwk' }));
  return { ok: true, value: { algorithm, publicKey, thumbprint } };
}

function readClaims(payload: JsonObject): Omit<DpopProof, 'publicKey' | 'thumbprint'> | undefined {
  const [id, method, uri, tokenHash, nonce] = ['jti', 'htm', 'htu', 'ath', 'nonce'].map((name) =>
    member(payload, name),
  );
  const issuedAt = member(payload, 'iat');
  const texts =
    typeof id === 'string' && typeof method === 'string' && typeof uri === 'string' && typeof tokenHash === 'string';
  if (!texts || id.length < wireBounds.minNonceLength || id.length > wireBounds.maxNonceLength) return undefined;
  if (typeof issuedAt !== 'number' || !Number.isFinite(issuedAt)) return undefined;
  if (nonce !== undefined && typeof nonce !== 'string') return undefined;
  return { id, method, uri, tokenHash, issuedAt, ...(nonce !== undefined && { nonce }) };
}

/**
 * Whether the `htu` of a proof is the URI of this request, without query and fragment (RFC 9449 §4.3): our own origin and
 * the path as it was sent. Both are normalised as far as two spellings can never mean two resources (RFC 3986 §6.2.2.1,
 * §6.2.2.2, §6.2.3); dot segments stay, because routers do not agree on them.
 */
export function isUriOfRequest(htu: string, origin: Origin, target: string): boolean {
  const [, scheme = '', authority = '', path = ''] = /^([a-z]+):\/\/([^/?#]*)([^?#]*)/i.exec(htu) ?? [];
  return (
    scheme.toLowerCase() === origin.scheme &&
    normalizeAuthority(authority, origin.scheme) === origin.authority &&
    normalizedPath(path) === normalizedPath(pathOf(target))
  );
}

function normalizedPath(path: string): string {
  const normalized = path.replace(/%[0-9a-f]{2}/gi, (escaped) => {
    const character = String.fromCharCode(Number.parseInt(escaped.slice(1), 16));
    return /[\w.~-]/.test(character) ? character : escaped.toUpperCase();
  });
  return normalized === '' ? '/' : normalized;
}
