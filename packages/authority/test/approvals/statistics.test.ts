import { describe, expect, it } from 'vitest';
import { readStatistics } from '../../src/approvals/statistics.js';
import { type Statement, sql } from '../../src/storage/store.js';
import { requestOf, requirement } from '../support/approvals.js';
import { engines } from '../support/stores.js';

const start = 1_800_000_000;

describe.each(engines)('the statistics of approvals in $name', ({ skip, open }) => {
  async function world() {
    const store = await open();
    const ask = async (
      id: string,
      status: string,
      askedAt: number,
      endedAt: number | null = null,
      brokeGlass = 0,
      change: Parameters<typeof requestOf>[0] = {},
    ) =>
      await store.run(sql`
        INSERT INTO countersign_approvals
          (id, binding, agent, tenant, request, status, version, asked_at, decide_by, ended_at, broke_glass)
        VALUES (${id}, 'b', 'agent-a', '', ${JSON.stringify(requestOf(change))}, ${status}, 0, ${askedAt}, ${askedAt + 100},
          ${endedAt}, ${brokeGlass})`);
    const decide = async (id: string, approver: string, verdict: string, at: number) =>
      await store.run(sql`
        INSERT INTO countersign_approval_decisions (approval_id, approver, verdict, facts, decided_at)
        VALUES (${id}, ${approver}, ${verdict}, '{}', ${at})`);
    return { store, ask, decide };
  }

  it.skipIf(skip)('count how questions ended, and how each person decides', async () => {
    const { store, ask, decide } = await world();
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
        { approver: 'rita', requirement, decisions: 2, approveRate: 1, medianSeconds: 3 },
        { approver: 'sam', requirement, decisions: 2, approveRate: 0.5, medianSeconds: 20 },
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

  it.skipIf(skip)('count decisions that count no more, because their person was revoked', async () => {
    const { store, ask, decide } = await world();
    await ask('a', 'pending', start);
    await decide('a', 'sam', 'break_glass', start + 2);
    await store.run(sql`UPDATE countersign_approval_decisions SET revoked_at = ${start + 3}`);
    expect(await readStatistics(store, start, start + 20)).toMatchObject({
      pending: 1,
      brokeGlass: 0,
      approvers: [{ approver: 'sam', decisions: 1, approveRate: 1, medianSeconds: 2 }],
    });
  });

  it.skipIf(skip)('count decisions by what was demanded, as the agent says, most first [C11]', async () => {
    const { store, ask, decide } = await world();
    const staff = { ...requirement, quorums: [{ groups: ['staff'], count: 1 }] };
    for (let number = 0; number < 150; number++) {
      await ask(`real-${number}`, 'approved', start, start + 60);
      await decide(`real-${number}`, 'rita', 'approve', start + 60);
    }
    await ask('invented', 'approved', start, start + 1, 0, { requirement: staff });
    await decide('invented', 'rita', 'approve', start + 1);
    await decide('invented', 'alice', 'approve', start + 1);
    const { approvers } = await readStatistics(store, start, start + 120);
    const invented = { requirement: staff, decisions: 1, approveRate: 1, medianSeconds: 1 };
    expect(approvers).toEqual([
      { approver: 'rita', requirement, decisions: 150, approveRate: 1, medianSeconds: 60 },
      { approver: 'alice', ...invented },
      { approver: 'rita', ...invented },
    ]);
  });
});
