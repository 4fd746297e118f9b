import { failed, isJsonObject, type JsonObject, member, parseStrictJson, type Reading } from '@countersign/common';
import type { TrustedIssuer } from '../token/issuers.js';
import { type JwsHeader, readJwsHeader, splitCompactJws } from '../token/jws-gate.js';
import { findKey, signatureVerifies } from '../token/token-verifier.js';
import { readStatusList, type StatusList } from './status-list.js';

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

/**
 * Verifies a Status List Token (draft-ietf-oauth-status-list §5.1, §8.3) as strictly as an access token: typed, signed
 * by a key of the issuer whose token refers to it, about this very address, and not over. Never rejects.
 */
export async function verifyStatusListToken(
  text: string,
  question: StatusListQuestion,
): Promise<Reading<StatusListToken>> {
  const parts = splitCompactJws(text, maxStatusListLength);
  if (parts === undefined) return failed('it is no JWS in compact serialisation');
  const header = readHeader(parts.header);
  if (!header.ok) return header;
  const { issuer, now } = question;
  if (!issuer.algorithms.includes(header.value.alg)) return failed('its alg is not allowed for the issuer');
  const found = await findKey(issuer, { header: header.value }, now);
  if (!found.ok) return failed(found.detail);
  if (!(await signatureVerifies(text, found.key, header.value.alg))) return failed('its signature does not verify');

  const payload = parseStrictJson(parts.payload);
  if (!payload.ok) return failed(`its payload cannot be read: ${payload.problem}`);
  if (!isJsonObject(payload.value)) return failed('its payload is not a JSON object');
  const claims = readClaims(payload.value, question);
  if (!claims.ok) return claims;
  const list = await readStatusList(member(payload.value, 'status_list'));
  return list.ok ? { ok: true, value: { ...claims.value, list: list.value } } : list;
}

function readHeader(bytes: Buffer): Reading<JwsHeader> {
  const json = parseStrictJson(bytes);
  if (!json.ok || !isJsonObject(json.value)) return failed('its header cannot be read');
  const header = readJwsHeader(json.value);
  if (!header.ok) return failed(header.detail);
  // RFC 8725 §3.11: no other token of the issuer may pass for its status list.
  const typ = member(json.value, 'typ');
  if (typeof typ !== 'string' || !/^(?:application\/)?statuslist\+jwt$/i.test(typ)) {
    return failed('its typ is not statuslist+jwt');
  }
  return { ok: true, value: header.header };
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
