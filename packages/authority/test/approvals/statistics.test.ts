import { describe, expect, it } from 'vitest';
import { readStatistics } from '../../src/approvals/statistics.js';
import { type Statement, sql } from '../../src/storage/store.js';
import { engines } from '../support/stores.js';

const start = 1_800_000_000;

describe.each(engines)('the statistics of approvals in $name', ({ skip, open }) => {
  it.skipIf(skip)('count how questions ended, and how each person decides', async () => {
    const store = await open();
    const ask = async (id: string, status: string, askedAt: number, endedAt: number | null = null, brokeGlass = 0) =>
      await store.run(sql`
        INSERT INTO countersign_approvals
          (id, binding, agent, tenant, request, status, version, asked_at, decide_by, ended_at, broke_glass)
        VALUES (${id}, 'b', 'agent-a', '', '{}', ${status}, 0, ${askedAt}, ${askedAt + 100}, ${endedAt}, ${brokeGlass})`);
    const decide = async (id: string, approver: string, verdict: string, at: number) =>
      await store.run(sql`
        INSERT INTO countersign_approval_decisions (approval_id, approver, verdict, facts, decided_at)
        VALUES (${id}, ${approver}, ${verdict}, '{}', ${at})`);
    await ask('old', 'approved', start - 1, start);
    await ask('a', 'approved', start, start + 10);
    await decide('a', 'rita', 'approve', start + 4);
    await decide('a', 'sam', 'approve', start + 10);
    await ask('b', 'denied', start, start + 30);
    await decide('b', 'sam', 'deny', start + 30);
    await ask('c', 'approved', start, start + 2, 1);
    await decide('c', 'rita', 'break_glass', start + 2);
    await ask('d', 'pending', start);
    await ask('e', 'pending', start + 50);
    await ask('f', 'withdrawn', start, start + 1);
    expect(await readStatistics(store, start, start + 120)).toEqual({
      asked: 6,
      pending: 1,
      approved: 2,
      denied: 1,
      withdrawn: 1,
      expired: 1,
      brokeGlass: 1,
      medianSeconds: 10,
      approvers: [
        { approver: 'rita', decisions: 2, approveRate: 1, medianSeconds: 3 },
        { approver: 'sam', decisions: 2, approveRate: 0.5, medianSeconds: 20 },
      ],
    });
    // An agent asks and withdraws as often as it likes.
    const flood = (from: number): Statement => ({
      text: `INSERT INTO countersign_approvals
          (id, binding, agent, tenant, request, status, version, asked_at, decide_by, ended_at, broke_glass)
        VALUES ${Array.from({ length: 1000 }, (_, index) => `('f${from + index}', 'b', 'agent-a', '', '{}', 'withdrawn', 0, $1, $1, $1, 0)`).join(', ')}`,
      values: [start],
    });
    await store.batch(Array.from({ length: 21 }, (_, index) => flood(index * 1000)));
    expect(await readStatistics(store, start, start + 120)).toMatchObject({
      withdrawn: 21_001,
      approved: 2,
      denied: 1,
    });
    expect(await readStatistics(store, start + 1000, start + 2000)).toMatchObject({ asked: 0, approvers: [] });
  });
});
