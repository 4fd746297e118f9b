import { administrator } from '../agents/agent-event.js';
import { required, type Row, sql, type Statement, type Store } from '../storage/store.js';
import type { TrailEvent } from '../trail/trail.js';
import { type Approval, type ApprovalEvent, lacksPeople } from './approval.js';
import type { EventName } from './approval-event.js';

const atOnce = 100;

/**
 * Counts anew what a revoked person decided about. The transaction that revoked made all of it safe already: nothing is
 * signed until it was counted, and this goes on after a crash. What was approved and lacks people now waits for them again.
 */
export async function recount(services: {
  readonly store: Store;
  readonly read: (rows: readonly Row[]) => Promise<readonly Approval[]>;
  readonly happened: (
    approval: Approval,
    name: EventName,
    by: TrailEvent['event']['by'],
    detail: string,
  ) => readonly Statement[];
  readonly announce: (approval: Approval, event: ApprovalEvent) => readonly Statement[];
  readonly announced: () => void;
  readonly now: () => number;
}): Promise<void> {
  const { store, read, happened, announce, announced, now } = services;
  const due = async (): Promise<readonly Row[]> =>
    await store.run(sql`SELECT * FROM countersign_approvals WHERE recount = 1 ORDER BY idx LIMIT ${atOnce}`);
  for (let rows = await due(); rows.length > 0; rows = await due()) {
    for (const approval of await read(rows)) await count(approval);
  }

  async function count(approval: Approval): Promise<void> {
    const { id, version, status, signedAt, decideBy, decisions } = approval;
    const isReopened = status === 'approved' && signedAt === undefined && lacksPeople(approval);
    const change = isReopened
      ? sql`
          UPDATE countersign_approvals SET recount = 0, version = version + 1, status = 'pending', ended_at = NULL,
            use_by = NULL, broke_glass = 0, reviewed_by = NULL, reviewed_at = NULL
          WHERE id = ${id} AND version = ${version} RETURNING id`
      : sql`
          UPDATE countersign_approvals SET recount = 0, version = version + 1
          WHERE id = ${id} AND version = ${version} RETURNING id`;
    const people = decisions.flatMap(({ approver, revokedAt }) => (revokedAt === undefined ? [] : [approver]));
    // If it changed meanwhile, or another process counted, the next turn sees it.
    const done = await store.batch([
      required(change),
      ...(isReopened && decideBy > now() ? announce(approval, 'asked') : []),
      ...happened(
        approval,
        'decision_revoked',
        administrator,
        `${people.join(', ')}${consequence(approval, isReopened)}`,
      ),
    ]);
    if (done !== undefined) announced();
  }
}

function consequence({ signedAt }: Approval, isReopened: boolean): string {
  if (isReopened) return ': people are missing again';
  return signedAt === undefined ? '' : ': the agent has the approval already';
}
