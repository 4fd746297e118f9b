import { numberOf, type Row, sql, type Store, textOf } from '../storage/store.js';

/** How one person decides. Somebody who approves everything within seconds does not read it. */
export interface ApproverStatistics {
  readonly approver: string;
  readonly decisions: number;
  /** From 0 to 1. An emergency counts as approved. */
  readonly approveRate: number;
  readonly medianSeconds: number;
}

export interface ApprovalStatistics {
  /** What was asked since then, by how it ended. */
  readonly asked: number;
  readonly pending: number;
  readonly approved: number;
  readonly denied: number;
  readonly withdrawn: number;
  readonly expired: number;
  readonly brokeGlass: number;
  /** From the question to the approval or the denial. Absent: nothing was decided. */
  readonly medianSeconds?: number;
  readonly approvers: readonly ApproverStatistics[];
}

/** Of more decisions, the newest count for medians and rates. Agents cannot make decisions, so they hide none. */
const most = 20_000;

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
      SELECT d.approver, d.verdict, d.decided_at - a.asked_at AS seconds
      FROM countersign_approval_decisions d JOIN countersign_approvals a ON a.id = d.approval_id
      WHERE a.asked_at >= ${since} ORDER BY d.decided_at DESC LIMIT ${most}`),
  ]);
  const count = (ending: string): number => sum(questions.filter((row) => row['ending'] === ending));
  const times = ended.map((row) => numberOf(row, 'seconds'));
  const names = [...new Set(decisions.map((row) => textOf(row, 'approver')))].toSorted();
  return {
    asked: sum(questions),
    pending: count('pending'),
    approved: count('approved'),
    denied: count('denied'),
    withdrawn: count('withdrawn'),
    expired: count('expired'),
    brokeGlass: sum(questions.filter((row) => row['broke_glass'] === 1)),
    ...(times.length > 0 && { medianSeconds: median(times) }),
    approvers: names.map((approver) => {
      const own = decisions.filter((row) => row['approver'] === approver);
      const approved = own.filter((row) => row['verdict'] !== 'deny').length;
      return {
        approver,
        decisions: own.length,
        approveRate: approved / own.length,
        medianSeconds: median(own.map((row) => numberOf(row, 'seconds'))),
      };
    }),
  };
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
