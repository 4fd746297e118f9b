import { type ApprovalDisclosure, readApprovalRequest } from '@countersign/approval';
import { eachInTurn, parseStrictJson, yieldEvery } from '@countersign/common';
import type { Seal } from '../keys/seal.js';
import { numberOf, optionalNumber, optionalText, type Row, type Store, textOf } from '../storage/store.js';
import type { Approval, ApprovalStatus, ApproverIdentity, Decision, Verdict } from './approval.js';

/** The approvals of these rows, with their decisions. `seal` opens what the agents showed. */
export async function approvalsOf(
  rows: readonly Row[],
  { store, seal, now }: { readonly store: Store; readonly seal: Seal; readonly now: () => number },
): Promise<readonly Approval[]> {
  if (rows.length === 0) return [];
  const known = rows.map((row) => textOf(row, 'id'));
  // As many as a power of two, so that there are few different statements.
  const ids = Array.from({ length: 2 ** Math.ceil(Math.log2(known.length)) }, (_, index) => known[index] ?? null);
  const decisions = await store.run({
    text: `SELECT * FROM countersign_approval_decisions WHERE approval_id IN (${ids.map((_, index) => `$${index + 1}`).join(', ')})
      ORDER BY decided_at, approver`,
    values: ids,
  });
  const approvals: Approval[] = [];
  // Requests have up to 64 KB.
  await eachInTurn(rows, yieldEvery(), (row) => approvals.push(approvalOf(row, decisions, seal, now())));
  return approvals;
}

function approvalOf(row: Row, decisions: readonly Row[], seal: Seal, now: number): Approval {
  const request = readApprovalRequest(jsonOf(textOf(row, 'request')));
  if (!request.ok) throw new Error('an approval of the store cannot be read');
  const shown = optionalText(row, 'shown');
  const [endedAt, useBy] = [optionalNumber(row, 'ended_at'), optionalNumber(row, 'use_by')];
  const signedAt = optionalNumber(row, 'signed_at');
  const [reviewedBy, reviewedAt] = [optionalText(row, 'reviewed_by'), optionalNumber(row, 'reviewed_at')];
  const decideBy = numberOf(row, 'decide_by');
  const stored = textOf(row, 'status') as ApprovalStatus;
  return {
    id: textOf(row, 'id'),
    binding: textOf(row, 'binding'),
    agent: textOf(row, 'agent'),
    tenant: textOf(row, 'tenant'),
    request: request.value,
    ...(shown !== undefined && { shown: jsonOf(seal.open(shown)) as ApprovalDisclosure }),
    status: stored === 'pending' && decideBy <= now ? 'expired' : stored,
    version: numberOf(row, 'version'),
    askedAt: numberOf(row, 'asked_at'),
    decideBy,
    ...(endedAt !== undefined && { endedAt }),
    ...(useBy !== undefined && { useBy }),
    ...(signedAt !== undefined && { signedAt }),
    brokeGlass: numberOf(row, 'broke_glass') === 1,
    ...(reviewedBy !== undefined && { reviewedBy }),
    ...(reviewedAt !== undefined && { reviewedAt }),
    decisions: decisions.filter((one) => one['approval_id'] === row['id']).map(decisionOf),
  };
}

type Facts = Omit<Decision, 'approver' | 'verdict' | 'decidedAt' | 'revokedAt'>;

export function factsOf(
  { name, groups, amr, acr, authTime }: ApproverIdentity,
  asked: readonly string[],
  reason: string | undefined,
): Facts {
  return {
    name,
    groups: groups.filter((group) => asked.includes(group)),
    ...(amr !== undefined && { amr }),
    ...(acr !== undefined && { acr }),
    ...(authTime !== undefined && { authTime }),
    ...(reason !== undefined && { reason }),
  };
}

function decisionOf(row: Row): Decision {
  const revokedAt = optionalNumber(row, 'revoked_at');
  return {
    ...(jsonOf(textOf(row, 'facts')) as Facts),
    approver: textOf(row, 'approver'),
    verdict: textOf(row, 'verdict') as Verdict,
    decidedAt: numberOf(row, 'decided_at'),
    ...(revokedAt !== undefined && { revokedAt }),
  };
}

function jsonOf(text: string): unknown {
  const read = parseStrictJson(Buffer.from(text));
  if (!read.ok) throw new Error('JSON of the store cannot be read');
  return read.value;
}
