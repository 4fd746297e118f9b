import { isJsonObject, type JsonObject, member, parseStrictJson, wireBounds } from '@countersign/common';
import { isSignatureAlgorithm } from './signature-algorithms.js';

/** The header parameters that we act on. */
export interface JwsHeader {
  readonly alg: string;
  readonly kid?: string;
}

/** An access token in good form. Nothing in it has been verified. */
export interface UntrustedToken {
  readonly header: JwsHeader;
  readonly payload: JsonObject;
}

export type GateRefusal = {
  readonly ok: false;
  readonly code: 'token_malformed' | 'token_invalid';
  readonly detail: string;
};

/** Of commas, colons and opening brackets in a header. Nobody is known to have signed it when it is read. */
export const maxHeaderMarks = 256;

/**
 * The strict gate before any cryptography. The JOSE library behind it forgives white space, padding and duplicate
 * members; what passes here has one spelling and one reading, so what we parsed is what was signed. Never throws, and
 * never fetches what a header points to.
 */
export function gateAccessToken(token: string): { readonly ok: true; readonly token: UntrustedToken } | GateRefusal {
  const parts = splitCompactJws(token);
  if (parts === undefined) return malformed('not a JWS in compact serialisation');
  const rawHeader = parseStrictJson(parts.header, maxHeaderMarks);
  if (!rawHeader.ok) return malformed(`its header cannot be read: ${rawHeader.problem}`);
  if (!isJsonObject(rawHeader.value)) return malformed('its header is not a JSON object');
  const header = readJwsHeader(rawHeader.value);
  if (!header.ok) return header;
  if (!isAccessTokenType(member(rawHeader.value, 'typ'))) return invalid('its typ is not at+jwt');
  const payload = parseStrictJson(parts.payload);
  if (!payload.ok) return malformed(`its payload cannot be read: ${payload.problem}`);
  if (!isJsonObject(payload.value)) return malformed('its payload is not a JSON object');
  return { ok: true, token: { header: header.header, payload: payload.value } };
}

/** Header, payload and signature of a compact JWS (RFC 7515 §7.1), each in canonical base64url; undefined if not. */
export function splitCompactJws(
  token: string,
  maxLength: number = wireBounds.tokenLength,
): { readonly header: Buffer; readonly payload: Buffer; readonly signature: Buffer } | undefined {
  if (token.length > maxLength) return undefined;
  // One part too many shows that there are too many.
  const [header, payload, signature, ...rest] = token.split('.', 4).map(decodeBase64url);
  if (header === undefined || payload === undefined || signature === undefined || rest.length > 0) return undefined;
  return { header, payload, signature };
}

/** Non-empty base64url without padding, white space or set unused bits (RFC 7515 §2); undefined if not. */
export function decodeBase64url(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64url');
  // Node ignores what it does not know; only the canonical spelling survives the round trip.
  return text !== '' && bytes.toString('base64url') === text ? bytes : undefined;
}

// A header must not say by which key, which rules or which content type it wants to be judged: crit, b64 and zip change
// what is signed (RFC 7515 §4.1.11, RFC 7797), enc is encryption, cty a nested token, and jwk, jku, x5u and x5c are keys
// of the sender's choice.
const refusedParameters = ['crit', 'b64', 'zip', 'enc', 'cty', 'jwk', 'jku', 'x5u', 'x5c'];

/** Checks every header parameter that bears on the signature. */
export function readJwsHeader(header: JsonObject): { readonly ok: true; readonly header: JwsHeader } | GateRefusal {
  const refused = refusedParameters.find((name) => Object.hasOwn(header, name));
  if (refused !== undefined) return invalid(`its header parameter ${refused} is not accepted`);
  const alg = member(header, 'alg');
  const kid = member(header, 'kid');
  if (!isSignatureAlgorithm(alg)) return invalid('its alg is not accepted');
  if (kid === undefined) return { ok: true, header: { alg } };
  if (typeof kid !== 'string' || !/^[\x20-\x7e]{1,256}$/.test(kid)) return malformed('its kid is not a short string');
  return { ok: true, header: { alg, kid } };
}

/** RFC 9068 §4: only this type, so that no ID token, logout token or DPoP proof passes for an access token. */
function isAccessTokenType(typ: unknown): boolean {
  return typeof typ === 'string' && /^(?:application\/)?at\+jwt$/i.test(typ);
}

function malformed(detail: string): GateRefusal {
  return { ok: false, code: 'token_malformed', detail };
}

function invalid(detail: string): GateRefusal {
  return { ok: false, code: 'token_invalid', detail };
}
