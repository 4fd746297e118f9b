import {
  type ApprovalDisclosure,
  approvalDetails,
  approverProblem,
  checkApproval,
  readApprovalClaims,
} from '@countersign/approval';
import { decodeJwt } from 'jose';
import { describe, expect, it } from 'vitest';
import { createAgentRegistry } from '../../src/agents/registry.js';
import type { ApproverIdentity } from '../../src/approvals/approval.js';
import { type ApprovalQueue, createApprovalQueue } from '../../src/approvals/queue.js';
import { signApproval } from '../../src/approvals/sign-approval.js';
import { createSeal } from '../../src/keys/seal.js';
import { openSigningKeys } from '../../src/keys/signing-keys.js';
import { readOptions } from '../../src/options/read-options.js';
import type { ApprovalOptions } from '../../src/index.js';
import { sweep } from '../../src/storage/sweeper.js';
import { noTrail } from '../../src/trail/trail.js';
import { authenticatePeople, needs, people, requestOf } from '../support/approvals.js';
import { newKey } from '../support/client.js';
import { engines } from '../support/stores.js';

const start = 1_800_000_000;

function person(subject: string): ApproverIdentity {
  return { subject, name: subject, groups: [], ...people[subject] };
}

async function decide(
  queue: ApprovalQueue,
  id: string,
  subject: string,
  verdict: 'approve' | 'deny' | 'break_glass' = 'approve',
  reason?: string,
) {
  const { binding = '' } = (await queue.find(id)) ?? {};
  return await queue.decide(person(subject), { id, binding, verdict, ...(reason !== undefined && { reason }) });
}

describe.each(engines)('the queue in $name', ({ skip, open }) => {
  async function world(approvals: ApprovalOptions = {}, tags: readonly string[] = []) {
    const store = await open();
    const settings = readOptions({
      issuer: 'https://id.acme.dev',
      secret: 'secret-of-the-tests-0123456789-0123456789',
      store,
      resources: [{ audience: 'https://api.acme.dev' }],
      users: { authenticate: authenticatePeople },
      approvals,
    });
    if (settings.approvals === undefined) throw new Error('no approvals');
    let at = start;
    const now = () => at;
    const agents = createAgentRegistry(store, now);
    const agent = await agents.add({ id: 'agent-a', publicKey: newKey().publicKey, owner: 'team:billing', tags });
    const make = () =>
      createApprovalQueue({
        settings: { ...settings, approvals: settings.approvals! },
        agents,
        announce: () => [],
        announced: () => {},
        trail: noTrail,
        now,
      });
    const queue = make();
    const ask = async (change = {}, shown?: ApprovalDisclosure) =>
      (await queue.ask(agent, approvalDetails(requestOf(change), shown))).id;
    const keys = await openSigningKeys({
      store,
      seal: createSeal(settings.secret),
      rotationDays: 90,
      longestTokenSeconds: 300,
      now,
      agreedTime: async () => await Promise.resolve(now()),
      onTrouble: () => {},
    });
    keys.close();
    return {
      store,
      queue,
      another: make,
      agents,
      agent,
      ask,
      sweepNow: async () => await sweep(store, at),
      pass: (seconds: number) => {
        at += seconds;
      },
      claims: async (id: string) => {
        const approval = await queue.find(id);
        if (approval === undefined) throw new Error('unknown');
        const signed = await signApproval(approval, { issuer: settings.issuerName, keys, now });
        if (signed === undefined) return undefined;
        const read = readApprovalClaims(decodeJwt(signed));
        if (!read.ok) throw new Error(read.problem);
        return read.value;
      },
    };
  }

  it.skipIf(skip)('gives an approval that the guard accepts, once enough people consented', async () => {
    const { queue, ask, claims } = await world();
    const id = await ask(needs(2));
    expect((await decide(queue, id, 'user:rita', 'approve', 'checked the diff')).status).toBe('pending');
    expect(await claims(id)).toBeUndefined();
    expect((await decide(queue, id, 'user:sam')).status).toBe('approved');
    const given = await claims(id);
    expect(given?.approvers).toEqual([
      {
        id: 'user:rita',
        groups: ['release-managers'],
        decidedAt: start,
        amr: ['pwd', 'otp'],
        acr: 'phr',
        authTime: 1_790_000_000,
        reason: 'checked the diff',
      },
      { id: 'user:sam', groups: ['release-managers'], decidedAt: start },
    ]);
    expect(given && checkApproval(given, requestOf(needs(2)), { now: start, clockSkewSeconds: 5 })).toBeUndefined();
    expect(given && checkApproval(given, requestOf(), { now: start, clockSkewSeconds: 5 })?.kind).toBe('mismatch');
  });

  it.skipIf(skip)('needs every quorum, and counts a person once [C11]', async () => {
    const { queue, ask } = await world();
    const quorums = [
      { groups: ['release-managers'], count: 2 },
      { groups: ['security'], count: 1 },
    ];
    const id = await ask(needs(1, { quorums }));
    await decide(queue, id, 'user:rita');
    await expect(decide(queue, id, 'user:rita')).rejects.toMatchObject({ code: 'approval_conflict' });
    expect((await decide(queue, id, 'user:ron')).status).toBe('pending');
    expect((await decide(queue, id, 'user:sam')).status).toBe('approved');
  });

  it.skipIf(skip)('lets nobody decide who may not [C11]', async () => {
    const { queue, ask, agents } = await world();
    const strict = await ask(needs(1, { excluded: ['subject', 'owner'] }));
    const own = await ask({
      ...needs(1, { excluded: ['subject', 'owner'] }),
      subject: { id: 'user:rita', type: 'user' },
    });
    const forbidden = { code: 'approval_forbidden' };
    await expect(decide(queue, strict, 'user:mallory')).rejects.toMatchObject(forbidden);
    await expect(decide(queue, strict, 'user:tess')).rejects.toMatchObject(forbidden);
    await expect(decide(queue, strict, 'user:olga')).rejects.toMatchObject(forbidden);
    await expect(decide(queue, own, 'user:rita')).rejects.toMatchObject(forbidden);
    await expect(decide(queue, strict, 'user:rita', 'break_glass', 'fire')).rejects.toMatchObject(forbidden);
    // The owner of now counts too, not only the one that the guard saw.
    await agents.update('agent-a', { owner: 'user:ron' });
    await expect(decide(queue, strict, 'user:ron')).rejects.toMatchObject(forbidden);
    expect((await decide(queue, own, 'user:sam')).status).toBe('approved');
    expect(approverProblem(requestOf(), { id: 'agent-planner', groups: [] })).toBeDefined();
  });

  it.skipIf(skip)('refuses a misspelt filter, which would list the approvals of all tenants [C11]', async () => {
    const { queue } = await world();
    await expect(queue.list({ tenat: 'acme', limit: 10 } as { limit: number })).rejects.toThrow(
      "Did you mean 'tenant'?",
    );
  });

  it.skipIf(skip)('keeps tenants apart by the tag of the agent [C11]', async () => {
    const { queue, ask } = await world({}, ['tenant:other']);
    const id = await ask();
    await expect(decide(queue, id, 'user:rita')).rejects.toMatchObject({ code: 'approval_forbidden' });
    expect(await queue.list({ groups: ['release-managers'], tenant: '', waiting: true, limit: 10 })).toEqual([]);
    expect(await queue.list({ groups: ['release-managers'], tenant: 'other', waiting: true, limit: 10 })).toHaveLength(
      1,
    );
    expect((await decide(queue, id, 'user:tess')).status).toBe('approved');
  });

  it.skipIf(skip)('is denied by as many as the options say, and tells why', async () => {
    const { queue, ask } = await world({ denials: 2 });
    const id = await ask(needs(3));
    expect((await decide(queue, id, 'user:rita', 'deny', 'freeze until Monday')).status).toBe('pending');
    await decide(queue, id, 'user:ron');
    const denied = await decide(queue, id, 'user:sam', 'deny');
    expect(denied.status).toBe('denied');
    expect(denied.decisions.map(({ reason }) => reason)).toContain('freeze until Monday');
    await expect(decide(queue, id, 'user:olga')).rejects.toMatchObject({ code: 'approval_conflict' });
  });

  it.skipIf(skip)('fails closed when the time to decide or to use is over [C11]', async () => {
    const { queue, ask, pass, claims } = await world();
    const [late, unused] = [await ask(), await ask({ action: 'pr.close' })];
    await decide(queue, unused, 'user:rita');
    pass(599);
    expect((await claims(unused))?.expiresAt).toBe(start + 600);
    pass(1);
    expect(await claims(unused)).toBeUndefined();
    pass(3000);
    expect((await queue.find(late))?.status).toBe('expired');
    await expect(decide(queue, late, 'user:rita')).rejects.toMatchObject({ code: 'approval_conflict' });
  });

  it.skipIf(skip)('decides about the request that was shown, and no other [C11]', async () => {
    const { queue, ask } = await world();
    const [id, other] = [await ask(), await ask({ action: 'pr.close' })];
    const { binding = '' } = (await queue.find(other)) ?? {};
    const wrong = queue.decide(person('user:rita'), { id, binding, verdict: 'approve' });
    await expect(wrong).rejects.toMatchObject({ code: 'approval_conflict' });
  });

  it.skipIf(skip)(
    'counts each of 20 who decide at the same moment in several processes, and ends once [C11]',
    async () => {
      const { queue, another, ask, claims } = await world();
      const id = await ask(needs(10));
      const { binding = '' } = (await queue.find(id)) ?? {};
      const queues = [queue, another()];
      const results = await Promise.allSettled(
        Array.from({ length: 20 }, (_, index) =>
          (queues[index % 2] ?? queue).decide(
            { subject: `user:${index}`, name: 'x', groups: ['release-managers'] },
            { id, binding, verdict: 'approve' },
          ),
        ),
      );
      const decisions = (await queue.find(id))?.decisions ?? [];
      expect(decisions).toHaveLength(10);
      expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(10);
      expect((await claims(id))?.approvers).toHaveLength(10);
    },
  );

  it.skipIf(skip)(
    'breaks the glass for a named person with a reason, for minutes, to be reviewed by another',
    async () => {
      const { queue, ask, claims } = await world({ breakGlass: ['user:eve'] });
      const id = await ask(needs(3, { useWithinSeconds: 86_400 }));
      await decide(queue, id, 'user:rita');
      await expect(decide(queue, id, 'user:eve', 'break_glass')).rejects.toMatchObject({ code: 'approval_invalid' });
      expect((await decide(queue, id, 'user:eve', 'break_glass', 'production is down')).brokeGlass).toBe(true);
      const given = await claims(id);
      expect(given).toMatchObject({ breakGlass: true, expiresAt: start + 900 });
      expect(given?.approvers.map((one) => one.id)).toEqual(['user:eve']);
      expect(await queue.list({ brokeGlass: true, limit: 10 })).toHaveLength(1);
      for (const other of ['user:eve', 'user:mallory', 'user:tess']) {
        await expect(queue.review(id, person(other))).rejects.toMatchObject({ code: 'approval_forbidden' });
      }
      expect(await queue.review(id, person('user:rita'))).toMatchObject({ reviewedBy: 'user:rita' });
      await expect(queue.review(id, person('user:rita'))).rejects.toMatchObject({ code: 'approval_conflict' });
    },
  );

  it.skipIf(skip)('lets nobody whom the policy excludes review an emergency [C11]', async () => {
    const { queue, ask, agents } = await world({ breakGlass: ['user:eve', 'user:alice'] });
    const id = await ask({ ...needs(1, { excluded: ['subject', 'owner'] }), resource: { type: 'Repo', id: 'x' } });
    await decide(queue, id, 'user:eve', 'break_glass', 'production is down');
    const alice = { ...person('user:alice'), groups: ['release-managers'] };
    for (const excluded of [alice, person('user:olga')]) {
      await expect(queue.review(id, excluded)).rejects.toMatchObject({ code: 'approval_forbidden' });
    }
    await agents.update('agent-a', { owner: 'user:ron' });
    await expect(queue.review(id, person('user:ron'))).rejects.toMatchObject({ code: 'approval_forbidden' });
    expect((await queue.review(id, person('user:rita'))).reviewedBy).toBe('user:rita');
  });

  it.skipIf(skip)('asks once for the same request, and lets an agent ask no more than people can read', async () => {
    const { queue, ask, agent } = await world();
    expect(await ask()).toBe(await ask());
    await Promise.all(Array.from({ length: 49 }, (_, index) => ask({ action: `a.${index}` })));
    await expect(ask({ action: 'a.50' })).rejects.toMatchObject({ code: 'approvals_full' });
    const foreign = requestOf({ actor: { id: 'agent-b' } });
    await expect(queue.ask(agent, approvalDetails(foreign))).rejects.toMatchObject({ code: 'approval_invalid' });
    const elsewhere = requestOf({ audience: 'https://other.example' });
    await expect(queue.ask(agent, approvalDetails(elsewhere))).rejects.toMatchObject({ code: 'approval_invalid' });
  });

  it.skipIf(skip)('asks once when the same is asked several times at once, and never more than 50', async () => {
    const { ask, queue } = await world();
    expect(new Set(await Promise.all(Array.from({ length: 10 }, () => ask()))).size).toBe(1);
    const results = await Promise.allSettled(Array.from({ length: 60 }, (_, index) => ask({ action: `a.${index}` })));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(49);
    expect(await queue.list({ waiting: true, limit: 100 })).toHaveLength(50);
  });

  it.skipIf(skip)('lets an agent ask 200 times an hour, also if it withdraws', async () => {
    const { ask, queue, pass } = await world();
    for (let count = 0; count < 200; count++) await queue.withdraw(await ask(), 'agent-a');
    await expect(ask()).rejects.toMatchObject({ code: 'approvals_full' });
    pass(3600);
    await ask();
  });

  it.skipIf(skip)('keeps what the agent shows as long as people may decide, or if one did', async () => {
    const { ask, queue, pass, sweepNow } = await world();
    const shown = { why: 'to ship' };
    const kept = async (id: string) => (await queue.find(id))?.shown?.why;
    const [withdrawn, half, expired] = [
      await ask({ action: 'a' }, shown),
      await ask({ action: 'b', ...needs(2) }, shown),
      await ask({ action: 'c' }, shown),
    ];
    await decide(queue, half, 'user:rita');
    expect(await Promise.all([withdrawn, half, expired].map(kept))).toEqual(['to ship', 'to ship', 'to ship']);
    expect((await queue.list({ waiting: true, limit: 10 })).map((one) => one.shown)).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    await queue.withdraw(withdrawn, 'agent-a');
    await queue.withdraw(half, 'agent-a');
    expect(await Promise.all([withdrawn, half].map(kept))).toEqual([undefined, 'to ship']);
    pass(3600 + 600);
    await sweepNow();
    expect(await kept(expired)).toBeUndefined();
    expect((await queue.find(expired))?.status).toBe('expired');
  });

  it.skipIf(skip)('lets no agent hide the requests of others behind its own [M6]', async () => {
    const { ask, queue, agents } = await world();
    const id = await ask();
    const soon = needs(1, { decideWithinSeconds: 1800 });
    for (const name of ['agent-x', 'agent-y']) {
      const agent = await agents.add({ id: name, publicKey: newKey().publicKey });
      for (let count = 0; count < 50; count++) {
        const asked = requestOf({ ...soon, actor: { id: name }, action: `a.${count}` });
        await queue.ask(agent, approvalDetails(asked));
      }
    }
    const filter = { groups: ['release-managers'], tenant: '', waiting: true };
    const found = await queue.list({ ...filter, limit: 100 });
    expect(found).toHaveLength(100);
    expect(found.at(-1)?.id).toBe(id);
    expect((await queue.list({ ...filter, limit: 3 })).map(({ agent }) => agent).toSorted()).toEqual([
      'agent-a',
      'agent-x',
      'agent-y',
    ]);
  });

  it.skipIf(skip)('ends a question of the agent that asked, and of no other', async () => {
    const { queue, ask } = await world();
    const id = await ask();
    expect(await queue.withdraw(id, 'agent-b')).toBeUndefined();
    expect((await queue.withdraw(id, 'agent-a'))?.status).toBe('withdrawn');
    await expect(decide(queue, id, 'user:rita')).rejects.toMatchObject({ code: 'approval_conflict' });
    const [again] = [await ask()];
    expect(again).not.toBe(id);
    expect((await queue.denyAsAdministrator(again, 'too risky')).status).toBe('denied');
  });
});
