import { describe, expect, it } from 'vitest';
import type { Approval, Decision } from '../../src/approvals/approval.js';
import { readStatistics } from '../../src/approvals/statistics.js';
import { suggestionsOf } from '../../src/approvals/suggestions.js';
import { sql } from '../../src/storage/store.js';
import { requestOf } from '../support/approvals.js';
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
    expect(await readStatistics(store, start + 1000, start + 2000)).toMatchObject({ asked: 0, approvers: [] });
  });
});

const decided = (verdict: Decision['verdict']): Decision => ({
  approver: 'rita',
  name: 'Rita',
  verdict,
  groups: ['release-managers'],
  decidedAt: start,
});
const ended = (change: Partial<Approval> = {}): Approval => ({
  id: 'x',
  binding: 'b',
  agent: 'agent-a',
  tenant: '',
  request: requestOf(),
  status: 'approved',
  version: 1,
  askedAt: start,
  decideBy: start,
  brokeGlass: false,
  decisions: [decided('approve')],
  ...change,
});

describe('suggestions', () => {
  it('are for what was approved often enough, and never denied or forced', () => {
    expect(suggestionsOf([ended(), ended()], 2)).toMatchObject([
      { agent: 'agent-a', action: 'pr.merge', approvals: 2, approvers: ['rita'], policies: ['policies.cedar#merge'] },
    ]);
    expect(suggestionsOf([ended()], 2)).toEqual([]);
    expect(suggestionsOf([ended(), ended(), ended({ status: 'denied', decisions: [decided('deny')] })], 2)).toEqual([]);
    expect(suggestionsOf([ended(), ended(), ended({ brokeGlass: true })], 2)).toEqual([]);
    const forBob = ended({ request: requestOf({ subject: { id: 'user:bob', type: 'user' } }) });
    expect(suggestionsOf([ended(), forBob], 2)).toEqual([]);
  });

  it('do not count what expired or was withdrawn', () => {
    expect(suggestionsOf([ended(), ended({ status: 'expired', decisions: [] })], 2)).toEqual([]);
  });
});
