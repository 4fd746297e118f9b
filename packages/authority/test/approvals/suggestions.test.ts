import type { ApprovalRequest } from '@countersign/approval';
import { describe, expect, it } from 'vitest';
import { readSuggestions } from '../../src/approvals/suggestions.js';
import { sql, type SqlValue, type Statement, type Store } from '../../src/storage/store.js';
import { needs, requestOf, requirement } from '../support/approvals.js';
import { engines } from '../support/stores.js';

const start = 1_800_000_000;

interface Question {
  readonly change?: Partial<ApprovalRequest>;
  readonly status?: string;
  readonly verdicts?: Readonly<Record<string, 'approve' | 'deny' | 'break_glass'>>;
  /** Whose decisions count no more. */
  readonly revoked?: readonly string[];
}

let count = 0;

/** One statement for many rows: as many statements take longer than a busy Postgres may. */
function insertion(table: string, columns: readonly string[], rows: readonly (readonly SqlValue[])[]): Statement {
  const places = rows.map((row, at) => `(${row.map((_, index) => `$${at * row.length + index + 1}`).join(', ')})`);
  return { text: `INSERT INTO ${table} (${columns.join(', ')}) VALUES ${places.join(', ')}`, values: rows.flat() };
}

async function fill(store: Store, questions: readonly Question[]): Promise<Store> {
  const named = questions.map((question) => ({ id: `approval-${++count}`, ...question }));
  await store.batch([
    insertion(
      'countersign_approvals',
      ['id', 'request', 'status', 'broke_glass', 'binding', 'agent', 'tenant', 'version', 'asked_at', 'decide_by'],
      named.map(({ id, change, status = 'approved' }) => [
        id,
        JSON.stringify(requestOf(change)),
        status,
        // As after the revocation of whoever broke it.
        0,
        'b',
        'agent-a',
        '',
        0,
        start,
        start,
      ]),
    ),
    insertion(
      'countersign_approval_decisions',
      ['approval_id', 'approver', 'verdict', 'facts', 'decided_at', 'revoked_at'],
      named.flatMap(({ id, verdicts = { rita: 'approve' }, revoked = [] }) =>
        Object.entries(verdicts).map(([approver, verdict]) => [
          id,
          approver,
          verdict,
          '{}',
          start,
          revoked.includes(approver) ? start : null,
        ]),
      ),
    ),
  ]);
  return store;
}

const denied: Question = { status: 'denied', verdicts: { rita: 'deny' } };
const withdrawn: Question = { status: 'withdrawn', verdicts: {} };

describe.each(engines)('suggestions in $name', ({ skip, open }) => {
  it.skipIf(skip)('are for what was approved often enough, and never denied or forced', async () => {
    const store = await fill(await open(), [{}, { verdicts: { sam: 'approve', rita: 'approve' } }, withdrawn]);
    expect(await readSuggestions(store, 2)).toEqual([
      {
        audience: 'https://api.acme.dev',
        agent: 'agent-a',
        subject: { id: 'user:alice', type: 'user' },
        action: 'pr.merge',
        resource: { type: 'Repo', id: 'acme/api' },
        hops: 2,
        possession: 'signature',
        approvals: 2,
        approvers: ['rita', 'sam'],
        policies: ['policies.cedar#merge'],
        requirement,
      },
    ]);
    expect(await readSuggestions(store, 3)).toEqual([]);
  });

  it.skipIf(skip).each<[string, Question]>([
    ['denied', denied],
    ['denied by one of several', { status: 'pending', verdicts: { rita: 'approve', sam: 'deny' } }],
    ['approved in an emergency', { verdicts: { eve: 'break_glass' } }],
    [
      'approved in an emergency by somebody who was revoked',
      { verdicts: { eve: 'break_glass', rita: 'approve' }, revoked: ['eve'] },
    ],
    ['denied by somebody who was revoked', { verdicts: { sam: 'deny', rita: 'approve' }, revoked: ['sam'] }],
    ['denied when other policies asked', { ...denied, change: { policies: ['other.cedar#x'] } }],
    ['denied at another API', { ...denied, change: { audience: 'https://api.prod.acme.dev' } }],
    [
      'denied with a shorter chain',
      { ...denied, change: { chain: requestOf().chain.filter(({ id }) => id !== 'agent-planner') } },
    ],
    [
      'approved in an emergency at another API',
      { verdicts: { eve: 'break_glass' }, change: { audience: 'https://api.prod.acme.dev' } },
    ],
  ])('are not for what was once %s, whatever came afterwards [C11]', async (_how, question) => {
    // An agent asks and withdraws as often as it likes.
    const later = Array.from({ length: 1200 }, () => withdrawn);
    const store = await fill(await open(), [question, ...later, {}, {}, {}]);
    expect(await readSuggestions(store, 2)).toEqual([]);
  });

  it.skipIf(skip)('count no question that somebody decided who was revoked [C11]', async () => {
    const stolen: Question = { verdicts: { sam: 'approve' }, revoked: ['sam'] };
    const again: Question = { verdicts: { sam: 'approve', rita: 'approve' }, revoked: ['sam'] };
    const store = await fill(await open(), [stolen, stolen, again, {}]);
    expect(await readSuggestions(store, 2)).toEqual([]);
    await fill(store, [{}]);
    expect(await readSuggestions(store, 2)).toMatchObject([{ approvals: 2, approvers: ['rita'] }]);
  });

  it.skipIf(skip)('count only equal questions, which the same policies asked', async () => {
    const forBob: Question = { change: { subject: { id: 'user:bob', type: 'user' } } };
    const others: Question = { change: { policies: ['other.cedar#x'] } };
    const store = await fill(await open(), [others, {}, forBob]);
    expect(await readSuggestions(store, 2)).toEqual([]);
    await fill(store, [{}]);
    expect(await readSuggestions(store, 2)).toMatchObject([{ approvals: 2, policies: ['policies.cedar#merge'] }]);
  });

  it.skipIf(skip)('count only questions to the same people, who are the word of the agent [C11]', async () => {
    const quorums = [{ groups: ['staff'], count: 1 }];
    const invented: Question = { change: needs(1, { quorums }) };
    const store = await fill(await open(), [{}, invented, invented]);
    expect(await readSuggestions(store, 2)).toMatchObject([{ approvals: 2, requirement: { quorums } }]);
    await fill(store, [{}]);
    expect(await readSuggestions(store, 2)).toHaveLength(2);
  });

  it.skipIf(skip)(
    'count each set of policies and each requirement by itself, whichever was asked last [C11]',
    async () => {
      const others: Question = { change: { policies: ['other.cedar#x'] } };
      // An agent says itself what policy demands: it can ask its friends.
      const staff = { ...requirement, quorums: [{ groups: ['staff'], count: 1 }] };
      const friends: Question = { change: { requirement: staff }, verdicts: { alice: 'approve' } };
      const two = Array.from({ length: 3 }, (): Question => ({ change: needs(2) }));
      const store = await fill(await open(), [{}, {}, ...two, others, others, friends, friends, friends, friends]);
      const found = await readSuggestions(store, 2);
      expect(found.map((each) => [each.approvals, each.policies, each.approvers, each.requirement])).toEqual([
        [4, ['policies.cedar#merge'], ['alice'], staff],
        [2, ['other.cedar#x'], ['rita'], requirement],
        [3, ['policies.cedar#merge'], ['rita'], needs(2).requirement],
        [2, ['policies.cedar#merge'], ['rita'], requirement],
      ]);
    },
  );

  it.skipIf(skip)('count each API, and local callers, by themselves [C11]', async () => {
    const elsewhere: Question = { change: { audience: 'https://api.prod.acme.dev' } };
    const local: Question = {
      change: { chain: requestOf().chain.map((hop) => ({ ...hop, proof: 'local' as const })) },
    };
    const store = await fill(await open(), [{}, {}, elsewhere, elsewhere, elsewhere, local, local, local, local]);
    expect(
      (await readSuggestions(store, 2))
        .map(({ audience, possession, approvals }) => [audience, possession, approvals])
        .toSorted(([, , a], [, , b]) => Number(a) - Number(b)),
    ).toEqual([
      ['https://api.acme.dev', 'signature', 2],
      ['https://api.prod.acme.dev', 'signature', 3],
      ['https://api.acme.dev', 'local', 4],
    ]);
  });

  it.skipIf(skip)('are made of all decisions, however many there are', async () => {
    const store = await fill(await open(), [denied, ...Array.from({ length: 1100 }, () => ({}))]);
    expect(await readSuggestions(store, 2)).toEqual([]);
    await store.run(sql`DELETE FROM countersign_approvals WHERE status = 'denied'`);
    expect(await readSuggestions(store, 2)).toMatchObject([{ approvals: 1100 }]);
  });
});
