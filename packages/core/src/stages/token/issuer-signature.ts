import { failed, isJsonObject, type JsonObject, member, parseStrictJson, type Reading } from '@countersign/common';
import { compactVerify } from 'jose/jws/compact/verify';
import type { RefusalCode } from '../../model/refusal.js';
import { type IssuerKey, selectKey } from './issuer-key.js';
import type { TrustedIssuer } from './issuers.js';
import { type JwsHeader, maxHeaderMarks, readJwsHeader, splitCompactJws } from './jws-gate.js';

type FoundKey =
  | { readonly ok: true; readonly key: IssuerKey; readonly generation: number }
  | { readonly ok: false; readonly code: RefusalCode; readonly detail: string };

/** The one key of an issuer that a header means, looked for anew where it is not known yet. */
export async function findKey(issuer: Pick<TrustedIssuer, 'keys'>, header: JwsHeader, now: number): Promise<FoundKey> {
  for (const look of ['current', 'afterMiss'] as const) {
    const held = await issuer.keys[look](now);
    if (held.kind === 'unavailable') return { ok: false, code: 'issuer_unavailable', detail: held.cause };
    const key = selectKey(held.value, header);
    if (key !== undefined) return { ok: true, key, generation: held.generation };
  }
  return { ok: false, code: 'token_invalid', detail: 'no single key of its issuer fits its kid and alg' };
}

export async function signatureVerifies(
  token: string,
  key: Pick<IssuerKey, 'publicKey'>,
  algorithm: string,
): Promise<boolean> {
  try {
    await compactVerify(token, key.publicKey, { algorithms: [algorithm] });
    return true;
  } catch {
    return false;
  }
}

/** What a document of an issuer must be. */
export interface DocumentRules {
  /** Its `typ`: no other document of the issuer may pass for it (RFC 8725 §3.11). */
  readonly typ: string;
  readonly maxLength: number;
  /** Most commas, colons and opening brackets in its claims. */
  readonly maxMarks?: number;
}

/** The claims of a document that an issuer signed, which is no token: as strict as for an access token. Never rejects. */
export async function verifyIssuerDocument(
  text: string,
  { typ, maxLength, maxMarks }: DocumentRules,
  issuer: Pick<TrustedIssuer, 'keys' | 'algorithms'>,
  now: number,
): Promise<Reading<JsonObject>> {
  const parts = splitCompactJws(text, maxLength);
  if (parts === undefined) return failed('it is no JWS in compact serialisation');
  const header = readHeader(parts.header, typ);
  if (!header.ok) return header;
  const { alg } = header.value;
  if (!issuer.algorithms.includes(alg)) return failed('its alg is not allowed for the issuer');
  const found = await findKey(issuer, header.value, now);
  if (!found.ok) return failed(found.detail);
  if (!(await signatureVerifies(text, found.key, alg))) return failed('its signature does not verify');
  const payload = parseStrictJson(parts.payload, maxMarks);
  if (!payload.ok) return failed(`its payload cannot be read: ${payload.problem}`);
  return isJsonObject(payload.value) ? { ok: true, value: payload.value } : failed('its payload is not a JSON object');
}

function readHeader(bytes: Buffer, expected: string): Reading<JwsHeader> {
  const json = parseStrictJson(bytes, maxHeaderMarks);
  if (!json.ok || !isJsonObject(json.value)) return failed('its header cannot be read');
  const header = readJwsHeader(json.value);
  if (!header.ok) return failed(header.detail);
  const typ = member(json.value, 'typ');
  const name = typeof typ === 'string' ? typ.toLowerCase().replace(/^application\//, '') : undefined;
  return name === expected ? { ok: true, value: header.header } : failed(`its typ is not ${expected}`);
}
