import { approvalType, type ApprovalClaims, maxApprovalLength, readApprovalClaims } from '@countersign/approval';
import { isJsonObject, member, parseStrictJson } from '@countersign/common';
import { type Refusal, refusal } from '../../model/refusal.js';
import type { TrustedApprover } from './approval-options.js';
import { readJwsHeader, splitCompactJws } from '../token/jws-gate.js';
import { findKey, signatureVerifies } from '../token/issuer-signature.js';

/** An approval, and who vouches for it. */
export interface FoundApproval {
  readonly claims: ApprovalClaims;
  /** What ids of its approvers begin with here. */
  readonly namespace: string;
  /** The groups for which its approvers count here. Undefined: all. */
  readonly groups: readonly string[] | undefined;
}

/**
 * Verifies the signature of an approval, as strictly as that of an access token: typed, and by a key of an authority that
 * may approve here. Whether it counts for a request is another question. Never rejects.
 */
export async function verifyApprovalToken(
  text: string,
  issuers: ReadonlyMap<string, TrustedApprover>,
  now: number,
): Promise<FoundApproval | Refusal> {
  const parts = splitCompactJws(text, maxApprovalLength);
  if (parts === undefined) return malformed('it is no JWS in compact serialisation');
  const [header, payload] = [parseStrictJson(parts.header), parseStrictJson(parts.payload)];
  if (!header.ok || !isJsonObject(header.value)) return malformed('its header cannot be read');
  if (!payload.ok || !isJsonObject(payload.value)) return malformed('its payload cannot be read');
  // RFC 8725 §3.11: no other token of the authority may pass for an approval.
  if (member(header.value, 'typ') !== approvalType) return invalid(`its typ is not ${approvalType}`);
  const read = readJwsHeader(header.value);
  if (!read.ok) return invalid(read.detail);
  const name = member(payload.value, 'iss');
  const issuer = typeof name === 'string' ? issuers.get(name) : undefined;
  if (issuer === undefined) return invalid('its issuer may not approve here');
  if (!issuer.algorithms.includes(read.header.alg)) return invalid('its alg is not EdDSA');
  const found = await findKey(issuer, read.header, now);
  if (!found.ok && found.code === 'issuer_unavailable') return refusal('approvals_unavailable', found.detail);
  if (!found.ok) return invalid(found.detail);
  if (!(await signatureVerifies(text, found.key, read.header.alg))) return invalid('its signature does not verify');
  const claims = readApprovalClaims(payload.value);
  if (!claims.ok) return invalid(claims.problem);
  const { approvers } = claims.value;
  if (issuer.foreignNamespaces.some((other) => approvers.some(({ id }) => id.startsWith(other)))) {
    return invalid('it names a person within the namespace of another issuer');
  }
  return { claims: claims.value, namespace: issuer.namespace, groups: issuer.groups };
}

function malformed(detail: string): Refusal {
  return refusal('approval_malformed', detail);
}

function invalid(detail: string): Refusal {
  return refusal('approval_invalid', detail);
}
