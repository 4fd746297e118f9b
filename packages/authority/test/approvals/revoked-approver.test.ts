import { approvalDetails, readApprovalClaims } from '@countersign/approval';
import { decodeJwt } from 'jose';
import { describe, expect, it } from 'vitest';
import { createAgentRegistry } from '../../src/agents/registry.js';
import type { ApproverIdentity, Verdict } from '../../src/approvals/approval.js';
import { createApprovalQueue } from '../../src/approvals/queue.js';
import { signApproval } from '../../src/approvals/sign-approval.js';
import { createUserDelegations } from '../../src/delegation/consents.js';
import { createLedger } from '../../src/delegation/ledger.js';
import { createSeal } from '../../src/keys/seal.js';
import { openSigningKeys } from '../../src/keys/signing-keys.js';
import { readOptions } from '../../src/options/read-options.js';
import type { ApprovalOptions } from '../../src/index.js';
import { openPostgres } from '../../src/storage/postgres.js';
import type { Store } from '../../src/storage/store.js';
import { noTrail } from '../../src/trail/trail.js';
import { authenticatePeople, needs, people, requestOf } from '../support/approvals.js';
import { newKey } from '../support/client.js';
import { emptyDatabase, engines } from '../support/stores.js';

const start = 1_800_000_000;
const [rita, ron, sam, eve] = ['user:rita', 'user:ron', 'user:sam', 'user:eve'];
const none = async (): Promise<void> => await Promise.resolve();

/** Sam alone is in the second one. */
const twoGroups = needs(1, {
  quorums: [
    { groups: ['release-managers'], count: 1 },
    { groups: ['security'], count: 1 },
  ],
});

function person(subject: string): ApproverIdentity {
  return { subject, name: subject, groups: [], ...people[subject] };
}

/**
 * A queue and a ledger of one process. `meanwhile` happens between a check and what follows from it. `ahead`: so many
 * seconds is its clock ahead of that of the database.
 */
async function processOn(opened: Store, approvals: ApprovalOptions = {}) {
  const state = { at: start, ahead: 0, meanwhile: none };
  const store: Store = { ...opened, clock: async () => await Promise.resolve(state.at - state.ahead) };
  const settings = readOptions({
    issuer: 'https://id.acme.dev',
    secret: 'secret-of-the-tests-0123456789-0123456789',
    store,
    resources: [{ audience: 'https://api.acme.dev' }],
    users: { authenticate: authenticatePeople },
    approvals,
  });
  if (settings.approvals === undefined) throw new Error('no approvals');
  const now = () => state.at;
  const interrupt = async () => {
    const { meanwhile } = state;
    state.meanwhile = none;
    await meanwhile();
  };
  const agents = createAgentRegistry(store, now);
  const announced: string[] = [];
  const queue = createApprovalQueue({
    settings: { ...settings, approvals: settings.approvals },
    agents: {
      ...agents,
      async get(id) {
        await interrupt();
        return await agents.get(id);
      },
    },
    announce: (_approval, event) => {
      announced.push(event);
      return [];
    },
    announced: () => {},
    trail: {
      ...noTrail,
      async isWritten() {
        await interrupt();
        return true;
      },
    },
    now,
  });
  const ledger = createLedger(store, now);
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
    state,
    queue,
    agents,
    announced,
    decide: async (id: string, subject: string, verdict: Verdict = 'approve', reason?: string, since?: number) => {
      const { binding = '' } = (await queue.find(id)) ?? {};
      const optional = { ...(reason !== undefined && { reason }), ...(since !== undefined && { since }) };
      return await queue.decide(person(subject), { id, binding, verdict, ...optional });
    },
    revokeNow: async (subject: string) => await ledger.revoke({ subject }),
    revoke: async (subject: string) => {
      await ledger.revoke({ subject });
      await queue.recount();
    },
    endAll: async (subject: string) => await createUserDelegations(store, now).revoke(subject, 'all'),
    /** What the agent gets that asks now: the names of those who approved, or the status. */
    poll: async (id: string) => {
      const found = await queue.findForAgent(id, 'agent-a');
      if (found?.status !== 'approved') return found?.status;
      const signed = await signApproval(found, { issuer: settings.issuerName, keys, now });
      const read = signed === undefined ? undefined : readApprovalClaims(decodeJwt(signed));
      return read?.ok === true ? read.value.approvers.map((each) => each.id) : 'expired';
    },
  };
}

async function world(store: Store, approvals: ApprovalOptions = {}) {
  const made = await processOn(store, approvals);
  const agent = await made.agents.add({ id: 'agent-a', publicKey: newKey().publicKey, owner: 'team:billing' });
  const ask = async (change = {}) => (await made.queue.ask(agent, approvalDetails(requestOf(change)))).id;
  return { ...made, ask };
}

describe.each(engines)('an approver who is revoked, in $name', ({ skip, open }) => {
  it.skipIf(skip)('counts no more for half of a quorum [C11]', async () => {
    const { ask, decide, revoke, poll, queue } = await world(await open());
    const id = await ask(needs(2));
    await decide(id, sam);
    await revoke(sam);
    expect((await queue.find(id))?.decisions).toMatchObject([{ approver: sam, revokedAt: start }]);
    expect((await decide(id, rita)).status).toBe('pending');
    expect(await poll(id)).toBe('pending');
    expect((await decide(id, ron)).status).toBe('approved');
    expect(await poll(id)).toEqual([rita, ron]);
  });

  it.skipIf(skip)('counts no more for what is approved, but not signed: it waits for people again [C11]', async () => {
    const { ask, decide, revoke, poll, queue, announced, state } = await world(await open());
    const id = await ask();
    await decide(id, sam);
    await revoke(sam);
    expect(await poll(id)).toBe('pending');
    expect(await queue.find(id)).not.toHaveProperty('useBy');
    expect(await queue.find(id)).not.toHaveProperty('endedAt');
    expect(await queue.list({ waiting: true, limit: 9 })).toMatchObject([{ id }]);
    expect(announced).toEqual(['asked', 'approved', 'asked']);
    // Sam was restored: a person decides once about a request, as ever.
    state.at += 1;
    await expect(decide(id, sam)).rejects.toMatchObject({ code: 'approval_conflict' });
    const later = await ask({ action: 'pr.close' });
    expect((await decide(later, sam)).status).toBe('approved');
    await decide(id, rita);
    expect(await poll(id)).toEqual([rita]);
  });

  it.skipIf(skip)('leaves what is approved expired, if the time to decide is over [C11]', async () => {
    const { ask, decide, revoke, poll, queue, announced, state } = await world(await open());
    const id = await ask();
    state.at += 3599;
    await decide(id, sam);
    state.at += 1;
    await revoke(sam);
    expect(await poll(id)).toBe('expired');
    expect((await queue.find(id))?.status).toBe('expired');
    expect(announced).toEqual(['asked', 'approved']);
  });

  it.skipIf(skip)('takes nothing from an approval that has enough people without them [C11]', async () => {
    const { ask, decide, revoke, poll, queue, announced } = await world(await open());
    const id = await ask(twoGroups);
    for (const each of [rita, ron, sam]) await decide(id, each);
    await revoke(ron);
    expect(await queue.find(id)).toMatchObject({ status: 'approved', endedAt: start, useBy: start + 600 });
    expect(announced).toEqual(['asked', 'approved']);
    expect(await poll(id)).toEqual([rita, sam]);
  });

  it.skipIf(skip)('does not expire such an approval before the others are counted', async () => {
    const { ask, decide, revokeNow, poll, queue, state } = await world(await open());
    const id = await ask(twoGroups);
    state.at += 3599;
    for (const each of [rita, ron, sam]) await decide(id, each);
    state.at += 100;
    await revokeNow(ron);
    expect(await poll(id)).toBe('pending');
    await queue.recount();
    expect(await poll(id)).toEqual([rita, sam]);
  });

  it.skipIf(skip)('counts no more for a denial of several [C11]', async () => {
    const { ask, decide, revoke, queue } = await world(await open(), { denials: 2 });
    const id = await ask();
    await decide(id, sam, 'deny', 'because I say so');
    await revoke(sam);
    expect((await decide(id, ron, 'deny')).status).toBe('pending');
    expect((await decide(id, rita)).status).toBe('approved');
    expect((await queue.find(id))?.decisions).toHaveLength(3);
  });

  it.skipIf(skip)('counts no more for an emergency [C11]', async () => {
    const { ask, decide, revoke, poll, queue } = await world(await open(), { breakGlass: [eve] });
    const id = await ask(needs(2));
    await decide(id, rita);
    await decide(id, eve, 'break_glass', 'production is down');
    await revoke(eve);
    expect(await poll(id)).toBe('pending');
    expect(await queue.list({ brokeGlass: true, limit: 9 })).toEqual([]);
    await decide(id, sam);
    expect(await poll(id)).toEqual([rita, sam]);
  });

  it.skipIf(skip)('is not helped by another agent that asks for the approval [C11]', async () => {
    const { ask, decide, revoke, poll, queue } = await world(await open());
    const id = await ask();
    await decide(id, sam);
    expect(await queue.findForAgent(id, 'agent-b')).toBeUndefined();
    expect((await queue.find(id))?.signedAt).toBeUndefined();
    await revoke(sam);
    expect(await poll(id)).toBe('pending');
  });

  it.skipIf(skip)('has no review of an emergency count for the next one [C11]', async () => {
    const { ask, decide, revoke, queue } = await world(await open(), { breakGlass: [eve, sam] });
    const id = await ask(needs(2));
    await decide(id, eve, 'break_glass', 'production is down');
    await queue.review(id, person(rita));
    await revoke(eve);
    await decide(id, sam, 'break_glass', 'it is down again');
    const unreviewed = await queue.find(id);
    expect(unreviewed).toMatchObject({ status: 'approved', brokeGlass: true });
    expect(unreviewed?.reviewedBy).toBeUndefined();
    await queue.review(id, person(ron));
    expect(await queue.find(id)).toMatchObject({ reviewedBy: ron });
  });

  it.skipIf(skip)('has no approval signed again that the agent has already [C11]', async () => {
    const { ask, decide, revoke, poll, queue } = await world(await open());
    const id = await ask();
    await decide(id, sam);
    expect(await poll(id)).toEqual([sam]);
    await revoke(sam);
    expect(await poll(id)).toBe('expired');
    expect(await queue.find(id)).toMatchObject({
      status: 'approved',
      signedAt: start,
      decisions: [{ revokedAt: start }],
    });
    expect(await queue.list({ waiting: true, limit: 9 })).toEqual([]);
  });

  it.skipIf(skip)('counts no more if revoked between the check and the signature [C11]', async () => {
    const { ask, decide, revokeNow, poll, queue, state } = await world(await open());
    const id = await ask();
    await decide(id, sam);
    state.meanwhile = async () => void (await revokeNow(sam));
    expect(await poll(id)).toBe('pending');
    // Also before the status was counted anew.
    expect(await poll(id)).toBe('pending');
    await queue.recount();
    expect(await poll(id)).toBe('pending');
    expect(await queue.find(id)).not.toHaveProperty('signedAt');
  });

  it.skipIf(skip)('cannot decide if revoked between the check and the decision [C11]', async () => {
    const { ask, decide, revokeNow, queue, state } = await world(await open());
    const id = await ask();
    state.meanwhile = async () => void (await revokeNow(sam));
    await expect(decide(id, sam)).rejects.toMatchObject({ code: 'approval_forbidden' });
    expect(await queue.find(id)).toMatchObject({ status: 'pending', decisions: [] });
  });

  it.skipIf(skip).each(['asked', 'is asked to decide'])(
    'cannot decide if revoked between the check and the decision, if the process that %s is ahead [C11]',
    async (which) => {
      const store = await open();
      const [asked, decides, revokes] = [await world(store), await processOn(store), await processOn(store)];
      const ahead = which === 'asked' ? asked : decides;
      ahead.state.at += 5;
      ahead.state.ahead = 5;
      const id = await asked.ask();
      decides.state.meanwhile = async () => await revokes.revoke(sam);
      await expect(decides.decide(id, sam)).rejects.toMatchObject({ code: 'approval_forbidden' });
      await revokes.queue.recount();
      expect(await revokes.poll(id)).toBe('pending');
    },
  );

  it.skipIf(skip)('cannot decide if revoked at the same time, by an end that was dated before [C11]', async () => {
    const store = await open();
    const [{ ask, decide, queue, poll, state }, revokes] = [await world(store), await processOn(store)];
    const id = await ask();
    // A second begins between the date of the end and its transaction.
    state.at += 1;
    state.meanwhile = async () => await revokes.revoke(sam);
    await expect(decide(id, sam)).rejects.toMatchObject({ code: 'approval_forbidden' });
    expect(await poll(id)).toBe('pending');
    expect(await queue.find(id)).toMatchObject({ decisions: [] });
  });

  it.skipIf(skip)('cannot decide on a page that was opened before the revocation [C11]', async () => {
    const { ask, decide, revoke, poll, queue } = await world(await open());
    const id = await ask();
    const since = await queue.since(sam);
    await revoke(sam);
    await expect(decide(id, sam, 'approve', undefined, since)).rejects.toMatchObject({ code: 'approval_forbidden' });
    await expect(decide(id, sam, 'approve', undefined, NaN)).rejects.toThrow();
    expect(await poll(id)).toBe('pending');
    await decide(id, sam, 'approve', undefined, await queue.since(sam));
    expect(await poll(id)).toEqual([sam]);
  });

  it.skipIf(skip)('cannot decide if revoked again in the same second, by any clock [C11]', async () => {
    const store = await open();
    const [{ ask, decide, state }, revokes] = [await world(store), await processOn(store)];
    const id = await ask();
    for (const at of [start + 60, start, start - 60]) {
      revokes.state.at = at;
      revokes.state.ahead = at - start;
      state.meanwhile = async () => await revokes.revoke(sam);
      await expect(decide(id, sam)).rejects.toMatchObject({ code: 'approval_forbidden' });
    }
    // Whoever may sign in again need not wait for the clock that was ahead.
    expect((await decide(id, sam)).status).toBe('approved');
  });

  it.skipIf(skip)('cannot review if revoked between the check and the review [C11]', async () => {
    const { ask, decide, revokeNow, queue, state } = await world(await open(), { breakGlass: [eve] });
    const id = await ask();
    await decide(id, eve, 'break_glass', 'production is down');
    state.meanwhile = async () => void (await revokeNow(rita));
    await expect(queue.review(id, person(rita))).rejects.toMatchObject({ code: 'approval_forbidden' });
    expect(await queue.find(id)).not.toHaveProperty('reviewedBy');
  });

  it.skipIf(skip)(
    'counts no more if the process that revokes is a minute ahead, and the one that decides a minute behind [C11]',
    async () => {
      const store = await open();
      const [{ ask, decide, poll, state, queue }, revokes] = [await world(store), await processOn(store)];
      const id = await ask(needs(2));
      await decide(id, sam);
      // 30 s after the time to decide.
      Object.assign(revokes.state, { at: start + 3690, ahead: 60 });
      Object.assign(state, { at: start + 3570, ahead: -60 });
      await revokes.revoke(sam);
      expect((await decide(id, rita)).status).toBe('pending');
      expect(await poll(id)).toBe('pending');
      expect((await queue.find(id))?.decisions).toMatchObject([{ revokedAt: start + 3690 }, { approver: rita }]);
    },
  );

  it.skipIf(skip)('who only ended their agents still counts', async () => {
    const { ask, decide, endAll, poll, queue } = await world(await open());
    const id = await ask();
    await decide(id, sam);
    await endAll(sam);
    await queue.recount();
    expect(await poll(id)).toEqual([sam]);
  });

  it.skipIf(skip)('an administrator denies what is approved, until it is signed', async () => {
    const { ask, decide, poll, queue } = await world(await open());
    const [unsigned, signed] = [await ask(), await ask({ action: 'pr.close' })];
    for (const id of [unsigned, signed]) await decide(id, sam);
    expect(await poll(signed)).toEqual([sam]);
    expect(await queue.denyAsAdministrator(unsigned, 'incident')).toMatchObject({ status: 'denied' });
    expect(await poll(unsigned)).toBe('denied');
    expect(await queue.find(unsigned)).not.toHaveProperty('useBy');
    await expect(queue.denyAsAdministrator(signed, 'incident')).rejects.toMatchObject({ code: 'approval_conflict' });
    // People decide once.
    const third = await ask({ action: 'pr.label' });
    await decide(third, sam);
    await expect(decide(third, rita, 'deny')).rejects.toMatchObject({ code: 'approval_conflict' });
  });
});

it.skipIf(engines[1]?.skip)(
  'of two processes, one revokes while the other signs and decides: nothing counts half [C11]',
  async () => {
    const pool = await emptyDatabase();
    const one = await world(await openPostgres(pool));
    const other = await processOn(await openPostgres(pool));
    const approved = await Promise.all(Array.from({ length: 20 }, (_, index) => one.ask({ action: `a.${index}` })));
    const open = await Promise.all(Array.from({ length: 20 }, (_, index) => one.ask({ action: `b.${index}` })));
    for (const id of approved) await one.decide(id, sam);
    const since = await other.queue.since(sam);
    const [told, decided] = await Promise.all([
      Promise.all(approved.map(async (id) => await other.poll(id))),
      Promise.allSettled(open.map(async (id) => await other.decide(id, sam, 'approve', undefined, since))),
      one.revoke(sam),
    ]);
    await Promise.all([one.queue.recount(), other.queue.recount()]);
    for (const [index, id] of approved.entries()) {
      const found = await other.queue.find(id);
      expect(found?.decisions[0]?.revokedAt).toBe(start);
      expect(found?.status).toBe(found?.signedAt === undefined ? 'pending' : 'approved');
      if (Array.isArray(told[index])) expect(found?.signedAt).toBe(start);
      expect(await other.poll(id)).toBe(found?.signedAt === undefined ? 'pending' : 'expired');
    }
    for (const [index, id] of open.entries()) {
      const found = await one.queue.find(id);
      expect(found?.status).toBe('pending');
      expect(found?.decisions.every(({ revokedAt }) => revokedAt !== undefined)).toBe(true);
      expect(found?.decisions).toHaveLength(decided[index]?.status === 'fulfilled' ? 1 : 0);
    }
  },
);
