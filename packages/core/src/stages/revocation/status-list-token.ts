import { promisify } from 'node:util';
import { inflate } from 'node:zlib';
import { decodeBase64url } from '../token/jws-gate.js';
import { failed, isJsonObject, type JsonObject, member, type Reading } from '@countersign/common';
import { verifyIssuerDocument } from '../token/issuer-signature.js';
import type { TrustedIssuer } from '../token/issuers.js';

/** A Status List Token that its issuer signed and that counts now. Times are unix seconds. */
export interface StatusListToken {
  readonly list: StatusList;
  /** `iat` */
  readonly issuedAt: number;
  /** `exp` */
  readonly expiresAt?: number;
  /** `ttl` */
  readonly ttlSeconds?: number;
}

export interface StatusListQuestion {
  /** Whose list it must be. */
  readonly issuer: TrustedIssuer;
  /** Where it was fetched from. */
  readonly uri: string;
  readonly now: number;
  readonly clockSkewSeconds: number;
}

/** Largest token; two layers of base64url are in it. */
export const maxStatusListLength: number = 4 * 1024 ** 2;

/** Commas, colons and opening brackets in its claims, which need about 20. */
const maxMarks = 256;

/**
 * Verifies a Status List Token (draft-ietf-oauth-status-list §5.1, §8.3) as strictly as an access token: typed, signed
 * by a key of the issuer whose token refers to it, about this very address, and not over. Never rejects.
 */
export async function verifyStatusListToken(
  text: string,
  question: StatusListQuestion,
): Promise<Reading<StatusListToken>> {
  // RFC 8725 §3.11: no other token of the issuer may pass for its status list.
  const document = { typ: 'statuslist+jwt', maxLength: maxStatusListLength, maxMarks };
  const payload = await verifyIssuerDocument(text, document, question.issuer, question.now);
  if (!payload.ok) return payload;
  const claims = readClaims(payload.value, question);
  if (!claims.ok) return claims;
  const list = await readStatusList(member(payload.value, 'status_list'));
  return list.ok ? { ok: true, value: { ...claims.value, list: list.value } } : list;
}

function readClaims(
  payload: JsonObject,
  { issuer, uri, now, clockSkewSeconds }: StatusListQuestion,
): Reading<Omit<StatusListToken, 'list'>> {
  const iss = member(payload, 'iss');
  const iat = member(payload, 'iat');
  const exp = member(payload, 'exp');
  const nbf = member(payload, 'nbf');
  const ttl = member(payload, 'ttl');
  // Else a list of the same issuer about other tokens would do.
  if (member(payload, 'sub') !== uri) return failed('its sub is another address');
  if (iss !== undefined && iss !== issuer.issuer) return failed('its iss is another issuer');
  if (!isSeconds(iat) || iat > now + clockSkewSeconds) return failed('its iat is missing or in the future');
  if (exp !== undefined && !isSeconds(exp)) return failed('its exp is not a number of seconds');
  if (exp !== undefined && exp + clockSkewSeconds + issuer.staleStatusSeconds <= now) return failed('it has expired');
  if (nbf !== undefined && !(isSeconds(nbf) && nbf <= now + clockSkewSeconds)) return failed('it is not valid yet');
  if (ttl !== undefined && !(isSeconds(ttl) && ttl > 0)) return failed('its ttl is not a positive number');
  return {
    ok: true,
    value: {
      issuedAt: iat,
      ...(exp !== undefined && { expiresAt: exp }),
      ...(ttl !== undefined && { ttlSeconds: ttl }),
    },
  };
}

/** NumericDate (RFC 7519 §2), or a duration: a finite number of seconds. */
function isSeconds(value: unknown): value is number {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

/** The statuses of many tokens, packed (Token Status List, draft-ietf-oauth-status-list, §4). */
export interface StatusList {
  readonly bits: number;
  readonly bytes: Uint8Array;
}

/** 64 million tokens of one bit each. Kept low because a few kilobytes can inflate to gigabytes. */
export const maxInflatedBytes: number = 8 * 1024 ** 2;

const inflated = promisify<Buffer, { maxOutputLength: number }, Buffer>(inflate);

/** Reads a `status_list` claim, with its bytes inflated within bounds. Never rejects. */
export async function readStatusList(claim: unknown): Promise<Reading<StatusList>> {
  if (!isJsonObject(claim)) return failed('its status_list is not an object');
  const bits = member(claim, 'bits');
  const lst = member(claim, 'lst');
  if (bits !== 1 && bits !== 2 && bits !== 4 && bits !== 8) return failed('its bits are none of 1, 2, 4 and 8');
  const packed = typeof lst === 'string' ? decodeBase64url(lst) : undefined;
  if (packed === undefined) return failed('its lst is not base64url');
  try {
    return { ok: true, value: { bits, bytes: await inflated(packed, { maxOutputLength: maxInflatedBytes }) } };
  } catch {
    return failed(`its lst is no zlib data, or inflates to more than ${maxInflatedBytes} bytes`);
  }
}

/** The status at an index; undefined beyond the end. Statuses begin at the least significant bit of each byte. */
export function statusAt({ bits, bytes }: StatusList, index: number): number | undefined {
  const bit = index * bits;
  const byte = bytes[Math.floor(bit / 8)];
  return byte === undefined ? undefined : (byte >> (bit % 8)) & (2 ** bits - 1);
}
