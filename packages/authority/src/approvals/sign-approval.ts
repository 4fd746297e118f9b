import { approvalPayload, approvalType } from '@countersign/approval';
import { boundJson } from '@countersign/common';
import { signClaims } from '../keys/sign-claims.js';
import type { SigningKeys } from '../keys/signing-keys.js';
import { type Approval, consenting } from './approval.js';

/** All reasons together: a header holds no more. The store has them whole. */
const reasonBytes = 3000;

/**
 * The signed approval. It is made from what the store holds whenever the agent asks, so that a lost answer costs nothing
 * and no database holds one. Undefined if it was not approved, or may not be used any more.
 */
export async function signApproval(
  approval: Approval,
  { issuer, keys, now }: { readonly issuer: string; readonly keys: SigningKeys; readonly now: () => number },
): Promise<string | undefined> {
  const { id, binding, request, status, askedAt, endedAt, useBy, brokeGlass } = approval;
  if (status !== 'approved' || endedAt === undefined || useBy === undefined || useBy <= now()) return undefined;
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
