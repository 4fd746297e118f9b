import { type KeyObject, verify } from 'node:crypto';
import {
  failed,
  isJsonObject,
  type JsonObject,
  member,
  parseStrictJson,
  type Reading,
  wireBounds,
} from '@countersign/common';
import { LINK_TYPE } from '@countersign/delegation';
import { type FieldSection, parseList } from '@countersign/signature';
import { type Refusal, refusal } from '../../model/refusal.js';
import { maxHeaderMarks, splitCompactJws } from '../token/jws-gate.js';

/** A link in good form. Nothing in it has been verified. */
export interface UntrustedLink {
  /** RFC 7638 thumbprint of the key that is said to have signed it. */
  readonly keyId: string;
  readonly payload: JsonObject;
  readonly signature: Buffer;
  /** What is said to have been signed (RFC 7515 §5.2). */
  readonly signed: Buffer;
}

/**
 * The strict gate before any cryptography, as for access tokens; the header is exactly the one of the profile, so that no
 * token of another kind passes for a link (RFC 8725 §3.11). Never throws.
 */
export function gateLink(text: string): Reading<UntrustedLink> {
  const parts = splitCompactJws(text, wireBounds.linkLength);
  if (parts === undefined) return failed('it is no JWS in compact serialisation');
  const header = parseStrictJson(parts.header, maxHeaderMarks);
  if (!header.ok) return failed(`its header cannot be read: ${header.problem}`);
  const read = isJsonObject(header.value) ? readHeader(header.value) : undefined;
  if (read === undefined) return failed('its header is not { typ, alg, kid } of a link');
  const payload = parseStrictJson(parts.payload);
  if (!payload.ok) return failed(`its payload cannot be read: ${payload.problem}`);
  if (!isJsonObject(payload.value)) return failed('its payload is not a JSON object');
  const { signature } = parts;
  const signed = Buffer.from(text.slice(0, text.lastIndexOf('.')));
  return { ok: true, value: { keyId: read, payload: payload.value, signature, signed } };
}

/** The key that a header names, if it is the header of a link. */
function readHeader(header: JsonObject): string | undefined {
  const algorithm = member(header, 'alg');
  const keyId = member(header, 'kid');
  if (Object.keys(header).length !== 3 || member(header, 'typ') !== LINK_TYPE) return undefined;
  // RFC 9864: two names of one algorithm.
  if (algorithm !== 'EdDSA' && algorithm !== 'Ed25519') return undefined;
  return typeof keyId === 'string' && /^[\w-]{43}$/.test(keyId) ? keyId : undefined;
}

/**
 * Whether a link was signed with this key. Links know one algorithm, so the JOSE library is not needed. The key's own
 * type is checked all the same, because the header must not decide what a key may verify (RFC 8725 §3.1). OpenSSL refuses
 * a signature that is not canonical (RFC 8032 §5.1.7). Never rejects.
 */
export function linkVerifies({ signed, signature }: UntrustedLink, key: KeyObject): Promise<boolean> {
  if (key.asymmetricKeyType !== 'ed25519') return Promise.resolve(false);
  return new Promise((resolve) => {
    verify(null, signed, key, signature, (error, valid) => resolve(error === null && valid));
  });
}

/**
 * Reads the Agent-Delegation field: a List of Tokens (RFC 9651 §3.1, §3.3.4) without parameters, each one link, in the
 * order in which they were handed on. Present but broken is refused: it never counts as absent. Never throws; details
 * never quote what was sent.
 */
export function readDelegationField(fields: FieldSection, maxLinks: number): readonly string[] | Refusal {
  const [value, ...others] = fields.raw('agent-delegation');
  if (value === undefined) return [];
  // Frameworks differ in which of two they take; one field holds a whole chain.
  if (others.length > 0) return malformed('more than one Agent-Delegation field');
  if (value.length > wireBounds.delegationFieldLength) return malformed('the Agent-Delegation field is too long');
  const list = parseList(value, { duplicates: 'refuse', budget: { parts: maxLinks + 1 } });
  if (!list.ok && list.problem.kind !== 'too_long') return malformed('the Agent-Delegation field is not a List');
  if (!list.ok) return refusal('delegation_too_deep', `more than ${maxLinks} links`);
  if (list.value.length === 0) return malformed('the Agent-Delegation field is empty');
  if (list.value.length > maxLinks) return refusal('delegation_too_deep', `more than ${maxLinks} links`);
  const links: string[] = [];
  for (const member of list.value) {
    if ('items' in member || member.value.type !== 'token' || member.parameters.size > 0) {
      return malformed('the Agent-Delegation field holds something that is not a Token');
    }
    links.push(member.value.value);
  }
  return links;
}

function malformed(detail: string): Refusal {
  return refusal('delegation_malformed', detail);
}
