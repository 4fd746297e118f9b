import { mostClockDifferenceSeconds } from '../storage/clock.js';
import { sql, type Statement } from '../storage/store.js';

/**
 * The decisions of a revoked person about what is undecided or unused count no more. A part of the transaction that revokes,
 * after the lock of the subject: a decision in progress has been recorded, or finds the end. What is approved, but not signed,
 * waits until the queue has counted anew. The version ends each decision or signature that was prepared before.
 */
export function endingDecisions(subject: string, at: number): readonly Statement[] {
  // The clock of this process may be ahead, and that of the process that decides or signs behind.
  const since = at - 2 * mostClockDifferenceSeconds;
  return [
    sql`
      UPDATE countersign_approvals SET recount = 1, version = version + 1
      WHERE ((status = 'pending' AND decide_by > ${since}) OR (status = 'approved' AND use_by > ${since})) AND id IN
        (SELECT approval_id FROM countersign_approval_decisions WHERE approver = ${subject} AND revoked_at IS NULL)`,
    sql`
      UPDATE countersign_approval_decisions SET revoked_at = ${at}
      WHERE approver = ${subject} AND revoked_at IS NULL AND approval_id IN
        (SELECT id FROM countersign_approvals WHERE recount = 1)`,
  ];
}
