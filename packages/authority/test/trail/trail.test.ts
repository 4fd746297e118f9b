import { ConfigError } from '@countersign/common';
import {
  agentsFromObjects,
  type AuditEvent,
  type AuditSink,
  cedarFromText,
  createGuard,
  memoryAudit,
} from '@countersign/core';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { patiently } from '../../../../test/support/patiently.js';
import { recordExpired, startExpiry } from '../../src/approvals/expiry.js';
import { createAuthority } from '../../src/index.js';
import { sql } from '../../src/storage/store.js';
import { startTrail, type Trail } from '../../src/trail/trail.js';
import { authenticatePeople, decide, needs, startApprovals } from '../support/approvals.js';
import { newKey } from '../support/client.js';
import { submit, ticketOf } from '../support/pages.js';
import { engines } from '../support/stores.js';

const seconds = (): number => Math.floor(Date.now() / 1000);

/** What is recorded of one thing: `name by`. */
function told(records: readonly AuditEvent[], about: string): string[] {
  return records
    .filter(({ request }) => request.id === about)
    .map(({ event }) => `${event?.name} by ${event?.by.type} ${event?.by.id}`);
}

/** A sink that refuses for as long as it is told to. */
function failing() {
  const audit = memoryAudit();
  const state = { fails: true, tried: 0 };
  const sink: AuditSink = {
    async write(event) {
      state.tried += 1;
      if (state.fails) throw new Error('the disk is full');
      await audit.write(event);
    },
  };
  return { audit, sink, state };
}

describe.each(engines)('the audit log of an authority on $name', ({ skip, open }) => {
  it.skipIf(skip)('has who asked and who decided, how they signed in and why', async () => {
    const audit = memoryAudit();
    const { running, ask, poll, withdraw } = await startApprovals(
      { breakGlass: ['user:eve'] },
      { store: await open(), audit },
    );
    const { issuer, authority } = running;
    const url = (id: string) => `${issuer}/approvals/${id}`;
    const press = async (id: string, user: string, decision: string, reason = '') => {
      const page = await fetch(url(id), { headers: { cookie: `user=${encodeURIComponent(user)}` } });
      const answer = await submit(url(id), user, { ticket: ticketOf(await page.text()), decision, reason });
      expect(answer.status).toBe(303);
    };
    const approved = await ask(needs(2));
    await press(approved, 'user:rita', 'approve', 'read it');
    await press(approved, 'user:ron', 'approve');
    const denied = await ask({ action: 'pr.close' });
    await press(denied, 'user:ron', 'deny', 'never');
    const emergency = await ask({ action: 'db.restore' });
    await press(emergency, 'user:eve', 'break_glass', 'production is down');
    await press(emergency, 'user:rita', 'review');
    const withdrawn = await ask({ action: 'pr.rebase' });
    await withdraw(withdrawn);
    const ended = await ask({ action: 'pr.label' });
    await running.admin('POST', `/approvals/${ended}/denial`, { reason: 'freeze' });
    await vi.waitFor(() => expect(told(audit.records, ended)).toHaveLength(2), patiently);
    const asked = 'approval.asked by agent agent-a';
    expect(told(audit.records, approved)).toEqual([
      asked,
      'approval.consented by user user:rita',
      'approval.approved by user user:ron',
    ]);
    expect(told(audit.records, denied)).toEqual([asked, 'approval.denied by user user:ron']);
    expect(told(audit.records, emergency)).toEqual([
      asked,
      'approval.broke_glass by user user:eve',
      'approval.reviewed by user user:rita',
    ]);
    expect(told(audit.records, withdrawn)).toEqual([asked, 'approval.withdrawn by agent agent-a']);
    expect(told(audit.records, ended)).toEqual([asked, 'approval.denied by administrator an administrator']);
    const { binding = '' } = (await authority.approvals?.find(approved)) ?? {};
    expect(audit.records.find(({ event }) => event?.name === 'approval.consented')).toMatchObject({
      phase: 'authority',
      detail: 'read it',
      actor: { id: 'agent-a' },
      subject: { id: 'user:alice' },
      action: 'pr.merge',
      resource: { type: 'Repo', id: 'acme/api' },
      policies: ['policies.cedar#merge'],
      approval: { binding, id: approved, issuer },
      event: { by: { groups: ['release-managers'], amr: ['pwd', 'otp'], acr: 'phr', authTime: 1_790_000_000 } },
    });
    await vi.waitFor(async () => expect((await poll(approved))['status']).toBe('approved'), patiently);
  });

  it.skipIf(skip)('has whose decisions count no more, and what that changed [C11]', async () => {
    const audit = memoryAudit();
    const { running, ask, poll } = await startApprovals({}, { store: await open(), audit });
    const [unsigned, signed, half] = [
      await ask(),
      await ask({ action: 'pr.close' }),
      await ask({ action: 'x', ...needs(2) }),
    ];
    for (const id of [unsigned, signed, half]) await decide(running, id, 'approve');
    await vi.waitFor(async () => expect((await poll(signed))['status']).toBe('approved'), patiently);
    expect((await running.admin('POST', '/revocations', { subject: 'user:rita' })).status).toBe(200);
    const detailOf = (id: string) =>
      audit.records.find(({ request, event }) => request.id === id && event?.name === 'approval.decision_revoked')
        ?.detail;
    await vi.waitFor(() => {
      expect(detailOf(unsigned)).toBe('user:rita: people are missing again');
      expect(detailOf(signed)).toBe('user:rita: the agent has the approval already');
      expect(detailOf(half)).toBe('user:rita');
    }, patiently);
    expect(told(audit.records, unsigned).at(-1)).toBe('approval.decision_revoked by administrator an administrator');
    expect((await poll(unsigned))['status']).toBe('pending');
    expect((await poll(signed))['status']).toBe('expired');
    await running.admin('POST', '/revocations', { subject: 'user:rita' });
    await vi.waitFor(() => expect(told(audit.records, 'user:rita')).toHaveLength(2), patiently);
    expect(told(audit.records, signed).filter((line) => line.includes('decision_revoked'))).toHaveLength(1);
  });

  it.skipIf(skip)('has each decision before the approval counts [C11]', async () => {
    const { audit, sink, state } = failing();
    const troubles: string[] = [];
    const { running, ask, poll } = await startApprovals(
      {},
      { store: await open(), audit: sink, onTrouble: (message) => troubles.push(message) },
    );
    const id = await ask();
    await decide(running, id, 'approve');
    await vi.waitFor(() => expect(state.tried).toBeGreaterThan(0), patiently);
    expect((await running.authority.approvals?.find(id))?.status).toBe('approved');
    expect(await poll(id)).toMatchObject({ status: 'pending' });
    await vi.waitFor(() => expect(troubles.join()).toContain('no approval counts: Error: the disk is full'), patiently);
    state.fails = false;
    await vi.waitFor(async () => expect((await poll(id))['status']).toBe('approved'), patiently);
    expect(told(audit.records, id)).toEqual(['approval.asked by agent agent-a', 'approval.approved by user user:rita']);
  });

  it.skipIf(skip)('gets each event from one of several processes, also after one that could not write', async () => {
    const store = await open();
    const [broken, audit] = [failing(), memoryAudit()];
    const trails: Trail[] = [];
    const start = (sink: AuditSink): Trail => {
      const trail = startTrail({ store, sink, now: seconds, onTrouble: () => {} });
      trails.push(trail);
      return trail;
    };
    const record = async (trail: Trail, about: string): Promise<void> => {
      await store.batch(
        trail.record({ about, event: { name: 'agent.changed', by: { id: 'x', type: 'administrator' } } }),
      );
    };
    const gone = start(broken.sink);
    await record(gone, 'first');
    await vi.waitFor(() => expect(broken.state.tried).toBeGreaterThan(0), patiently);
    await gone.close();
    expect(await gone.isWritten('first')).toBe(false);
    const both = [start(audit), start(audit)] as const;
    await Promise.all(Array.from({ length: 40 }, (_, index) => record(both[index % 2]!, `other-${index}`)));
    await vi.waitFor(() => expect(audit.records).toHaveLength(41), patiently);
    expect(await both[0].isWritten('first')).toBe(true);
    await Promise.all(both.map(async (trail) => await trail.close()));
    expect(new Set(audit.records.map(({ id }) => id)).size).toBe(41);
  });

  it.skipIf(skip)('gets each event at once that a process with a clock ahead took and did not write', async () => {
    const store = await open();
    const broken = failing();
    const gone = startTrail({ store, sink: broken.sink, now: () => seconds() + 86_400, onTrouble: () => {} });
    await store.batch(
      gone.record({ about: 'first', event: { name: 'agent.changed', by: { id: 'x', type: 'administrator' } } }),
    );
    await gone.close();
    await store.run(sql`UPDATE countersign_audit SET next_at = ${seconds() + 86_460}`);
    const audit = memoryAudit();
    const right = startTrail({ store, sink: audit, now: seconds, onTrouble: () => {} });
    await right.close();
    expect(audit.records).toHaveLength(1);
  });

  it.skipIf(skip)('shares its sink with a guard, and is closed with the last of them', async () => {
    const close = vi.fn(async () => {});
    const audit = { ...memoryAudit(), close };
    const { running } = await startApprovals({}, { store: await open(), audit });
    const policy = await cedarFromText({ policies: 'permit (principal, action, resource);' });
    const guard = await createGuard({ origin: 'https://api.acme.dev', agents: agentsFromObjects([]), policy, audit });
    await guard.close();
    expect(close).not.toHaveBeenCalled();
    await running.authority.close();
    expect(close).toHaveBeenCalledOnce();
  });

  it.skipIf(skip).each([
    ['before the start', true],
    ['during the start', false],
  ])('does not start if a guard closed its sink %s, and leaves nothing running', async (_when, isBefore) => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    onTestFinished(() => void vi.useRealTimers());
    const audit = { ...memoryAudit(), close: async () => {} };
    const policy = await cedarFromText({ policies: 'permit (principal, action, resource);' });
    const guard = await createGuard({ origin: 'https://api.acme.dev', agents: agentsFromObjects([]), policy, audit });
    if (isBefore) await guard.close();
    const store = await open();
    const close = vi.fn();
    const starting = createAuthority({
      issuer: 'https://id.acme.dev',
      secret: 'secret-of-the-tests-0123456789-0123456789',
      resources: [{ audience: 'https://api.acme.dev' }],
      users: { authenticate: authenticatePeople },
      approvals: {},
      store: {
        ...store,
        async run(statement) {
          await guard.close();
          return await store.run(statement);
        },
      },
      audit: [audit, { ...memoryAudit(), close }],
    });
    await expect(starting).rejects.toThrow(
      new ConfigError(
        "createAuthority: 'audit' was closed, such as by an earlier guard or authority. Open it again, or create the new authority before you close the old one.",
      ),
    );
    expect(vi.getTimerCount()).toBe(0);
    // A running guard may have it.
    expect(close).not.toHaveBeenCalled();
  });

  it.skipIf(skip)('has no request as expired by the clock of a process that is ahead', async () => {
    const audit = memoryAudit();
    const { running, ask } = await startApprovals({}, { store: await open(), audit });
    const id = await ask();
    const { store, issuer } = running;
    // A clock that is ahead would take the lease of the trail that is writing it.
    await vi.waitFor(
      async () => expect(await store.run(sql`SELECT idx FROM countersign_audit`)).toEqual([]),
      patiently,
    );
    const troubles: string[] = [];
    vi.useFakeTimers({ toFake: ['Date', 'setInterval', 'clearInterval'], now: Date.now() + 7200_000 });
    onTestFinished(() => void vi.useRealTimers());
    const onTrouble = (message: string) => void troubles.push(message);
    const trail = startTrail({ store, sink: audit, now: seconds, onTrouble });
    const expiry = startExpiry({ store, trail, issuer, now: seconds, onTrouble });
    vi.advanceTimersByTime(30_000);
    await expiry.close();
    await trail.close();
    expect(troubles).toEqual([expect.stringMatching(/recorded: Error: the clock of this process is \d+ s ahead/)]);
    expect(told(audit.records, id)).toEqual(['approval.asked by agent agent-a']);
  });

  it.skipIf(skip)('has each request that nobody decided in time, once', async () => {
    const audit = memoryAudit();
    const { running, ask } = await startApprovals({}, { store: await open(), audit });
    const id = await ask();
    const { store, issuer } = running;
    const later = (): number => seconds() + 3601;
    const trail = startTrail({ store, sink: audit, now: seconds, onTrouble: () => {} });
    for (let count = 0; count < 2; count++) await recordExpired({ store, trail, issuer, now: later });
    await trail.close();
    await vi.waitFor(async () => expect(await trail.isWritten(id)).toBe(true), patiently);
    expect(told(audit.records, id)).toEqual([
      'approval.asked by agent agent-a',
      `approval.expired by authority ${issuer}`,
    ]);
  });

  it.skipIf(skip)('has who registered, changed, suspended and revoked agents', async () => {
    const audit = memoryAudit();
    const { running } = await startApprovals({}, { store: await open(), audit });
    const { authority, admin } = running;
    const key = newKey();
    await authority.agents.addKey('agent-a', { publicKey: key.publicKey }, { overlapSeconds: 60 });
    await admin('PATCH', '/agents/agent-a', { owner: 'team:sales', name: 'Other' });
    await admin('PATCH', '/agents/agent-a', { status: 'suspended' });
    await admin('POST', '/revocations', { actor: 'agent-a' });
    await admin('POST', '/invitations', { id: 'agent-b' });
    await vi.waitFor(() => expect(told(audit.records, 'agent-b')).toHaveLength(1), patiently);
    const by = 'by administrator an administrator';
    expect(told(audit.records, 'agent-a')).toEqual([
      ...['registered', 'key_added', 'changed', 'suspended'].map((name) => `agent.${name} ${by}`),
      `delegation.revoked ${by}`,
    ]);
    expect(told(audit.records, 'agent-b')).toEqual([`agent.invited ${by}`]);
    expect(audit.records.find(({ event }) => event?.name === 'agent.changed')?.detail).toBe('name, owner');
  });
});
