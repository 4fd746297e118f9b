import { approvalPayload, approvalType } from '@countersign/approval';
import { signClaims } from '../keys/sign-claims.js';
import type { SigningKeys } from '../keys/signing-keys.js';
import { type Approval, consenting } from './approval.js';

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
  const payload = approvalPayload({
    issuer,
    audience: [request.audience],
    id,
    binding,
    askedAt,
    issuedAt: endedAt,
    expiresAt: useBy,
    approvers: consenting(approval).map(({ approver, groups, decidedAt, amr, acr, authTime, reason }) => ({
      id: approver,
      groups,
      decidedAt,
      ...(amr !== undefined && { amr }),
      ...(acr !== undefined && { acr }),
      ...(authTime !== undefined && { authTime }),
      ...(reason !== undefined && { reason }),
    })),
    breakGlass: brokeGlass,
  });
  return await signClaims(keys.current(now()), approvalType, payload);
}
