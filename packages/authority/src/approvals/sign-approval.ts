import { approvalPayload, approvalType } from '@countersign/approval';
import { boundJson } from '@countersign/common';
import { signClaims } from '../keys/sign-claims.js';
import type { SigningKeys } from '../keys/signing-keys.js';
import { sql, type Statement } from '../storage/store.js';
import { type Approval, consenting, lacksPeople } from './approval.js';

/** All reasons together: a header holds no more. The store has them whole. */
const reasonBytes = 3000;

/** Notes that the agent gets the approval. No row: it changed since it was read, or is to be counted anew before. */
export function signing({ id, version }: Approval, now: number): Statement {
  return sql`
    UPDATE countersign_approvals SET
      signed_at = CASE WHEN signed_at IS NULL AND use_by > ${now} THEN ${now} ELSE signed_at END
    WHERE id = ${id} AND version = ${version} AND status = 'approved' AND (recount = 0 OR signed_at IS NOT NULL)
    RETURNING id`;
}

/**
 * The signed approval. It is made from what the store holds whenever the agent asks, so that a lost answer costs nothing
 * and no database holds one. Undefined if it was not approved, may not be used any more, or somebody was revoked since.
 */
export async function signApproval(
  approval: Approval,
  { issuer, keys, now }: { readonly issuer: string; readonly keys: SigningKeys; readonly now: () => number },
): Promise<string | undefined> {
  const { id, binding, request, status, askedAt, endedAt, useBy, brokeGlass } = approval;
  if (status !== 'approved' || endedAt === undefined || useBy === undefined || useBy <= now()) return undefined;
  if (lacksPeople(approval)) return undefined;
  const people = consenting(approval);
  const payload = approvalPayload({
    issuer,
    audience: [request.audience],
    id,
    binding,
    askedAt,
    issuedAt: endedAt,
    expiresAt: useBy,
    approvers: people.map(({ approver, groups, decidedAt, amr, acr, authTime, reason }) => ({
      id: approver,
      groups,
      decidedAt,
      ...(amr !== undefined && { amr }),
      ...(acr !== undefined && { acr }),
      ...(authTime !== undefined && { authTime }),
      ...(reason !== undefined && { reason: boundJson(reason, Math.floor(reasonBytes / people.length)) }),
    })),
    breakGlass: brokeGlass,
  });
  return await signClaims(keys.current(now()), approvalType, payload);
}
