import { hash } from 'node:crypto';
import { type ApprovalRequirement, requirementKey } from '@countersign/approval';
import { numberOf, type Row, sql, type Store, textOf } from '../storage/store.js';
import { requestIn } from './suggestions.js';

/**
 * How one person decides where this is demanded. Somebody who approves everything within seconds does not read it. All they
 * decided is in it, also what counts no more because they were revoked.
 */
export interface ApproverStatistics {
  readonly approver: string;
  /** By the word of the agent that asked: the authority knows no policies, and an agent can ask its friends. */
  readonly requirement: ApprovalRequirement;
  readonly decisions: number;
  /** From 0 to 1. An emergency counts as approved. */
  readonly approveRate: number;
  readonly medianSeconds: number;
}

export interface ApprovalStatistics {
  /** What was asked since then, by how it ended. What was opened again, because somebody was revoked, is pending. */
  readonly asked: number;
  readonly pending: number;
  readonly approved: number;
  readonly denied: number;
  readonly withdrawn: number;
  readonly expired: number;
  readonly brokeGlass: number;
  /** From the question to the approval or the denial. Absent: nothing was decided. */
  readonly medianSeconds?: number;
  /** Those with most decisions first. */
  readonly approvers: readonly ApproverStatistics[];
}

/** Of more decisions, the newest count for medians and rates. Agents cannot make decisions, so they hide none. */
const most = 20_000;
/** Requirements have up to 32 KB, so few of them are read at once and returned. */
const [atOnce, mostApprovers] = [100, 200];

/** What happened to the questions since a moment. */
export async function readStatistics(store: Store, since: number, now: number): Promise<ApprovalStatistics> {
  const [questions, ended, decisions] = await Promise.all([
    store.run(sql`
      SELECT CASE WHEN status = 'pending' AND decide_by <= ${now} THEN 'expired' ELSE status END AS ending,
        broke_glass, COUNT(*) AS questions
      FROM countersign_approvals WHERE asked_at >= ${since} GROUP BY ending, broke_glass`),
    store.run(sql`
      SELECT ended_at - asked_at AS seconds FROM countersign_approvals
      WHERE asked_at >= ${since} AND status IN ('approved', 'denied') ORDER BY idx DESC LIMIT ${most}`),
    store.run(sql`
      SELECT d.approval_id, d.approver, d.verdict, d.decided_at - a.asked_at AS seconds
      FROM countersign_approval_decisions d JOIN countersign_approvals a ON a.id = d.approval_id
      WHERE a.asked_at >= ${since} ORDER BY d.decided_at DESC LIMIT ${most}`),
  ]);
  const count = (ending: string): number => sum(questions.filter((row) => row['ending'] === ending));
  const times = ended.map((row) => numberOf(row, 'seconds'));
  return {
    asked: sum(questions),
    pending: count('pending'),
    approved: count('approved'),
    denied: count('denied'),
    withdrawn: count('withdrawn'),
    expired: count('expired'),
    brokeGlass: sum(questions.filter((row) => row['broke_glass'] === 1)),
    ...(times.length > 0 && { medianSeconds: median(times) }),
    approvers: await approversOf(decisions, store),
  };
}

async function approversOf(decisions: readonly Row[], store: Store): Promise<readonly ApproverStatistics[]> {
  const keys = new Map<string, string>();
  await eachRequirement(decisions.map(approvalIn), store, (id, requirement) =>
    keys.set(id, hash('sha256', requirementKey(requirement))),
  );
  const groups = new Map<string, { readonly first: Row; readonly own: Row[] }>();
  for (const row of decisions) {
    const key = JSON.stringify([row['approver'], keys.get(approvalIn(row))]);
    const group = groups.get(key) ?? { first: row, own: [] };
    groups.set(key, group);
    group.own.push(row);
  }
  const listed = [...groups]
    .toSorted(([one, a], [other, b]) => b.own.length - a.own.length || (one < other ? -1 : 1))
    .slice(0, mostApprovers)
    .map(([, group]) => group);
  const requirements = new Map<string, ApprovalRequirement>();
  await eachRequirement(
    listed.map(({ first }) => approvalIn(first)),
    store,
    (id, requirement) => requirements.set(id, requirement),
  );
  return listed.flatMap(({ first, own }) => {
    const requirement = requirements.get(approvalIn(first));
    // It was deleted in between.
    if (requirement === undefined) return [];
    return [
      {
        approver: textOf(first, 'approver'),
        requirement,
        decisions: own.length,
        approveRate: own.filter(({ verdict }) => verdict !== 'deny').length / own.length,
        medianSeconds: median(own.map((row) => numberOf(row, 'seconds'))),
      },
    ];
  });
}

function approvalIn(decision: Row): string {
  return textOf(decision, 'approval_id');
}

/** What each of these questions demands, if it is still there. */
async function eachRequirement(
  approvals: readonly string[],
  store: Store,
  use: (id: string, requirement: ApprovalRequirement) => void,
): Promise<void> {
  const ids = [...new Set(approvals)];
  for (let from = 0; from < ids.length; from += atOnce) {
    const rows = await store.run({
      text: `SELECT id, request FROM countersign_approvals
        WHERE id IN (${Array.from({ length: atOnce }, (_, index) => `$${index + 1}`).join(', ')})`,
      values: Array.from({ length: atOnce }, (_, index) => ids[from + index] ?? null),
    });
    for (const row of rows) use(textOf(row, 'id'), requestIn(row).requirement);
  }
}

function sum(rows: readonly Row[]): number {
  return rows.reduce((total, row) => total + numberOf(row, 'questions'), 0);
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? 0;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? 0) + upper) / 2;
}
