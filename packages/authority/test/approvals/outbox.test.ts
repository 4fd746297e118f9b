import { describe, expect, it } from 'vitest';
import { createOutbox } from '../../src/approvals/outbox.js';
import type { Approval } from '../../src/approvals/approval.js';
import type { ChannelOptions } from '../../src/index.js';
import { sql } from '../../src/storage/store.js';
import { sweep } from '../../src/storage/sweeper.js';
import { requestOf } from '../support/approvals.js';
import { engines } from '../support/stores.js';

const start = 1_800_000_000;
const channels: readonly ChannelOptions[] = [
  { type: 'webhook', name: 'app', url: 'https://app.acme.dev/hook' },
  { type: 'slack', name: 'releases', url: 'https://hooks.example/1', groups: ['release-managers'] },
  { type: 'teams', name: 'sales', url: 'https://hooks.example/2', groups: ['sales'] },
];
const approval = { id: 'approval-1', request: requestOf() } as Approval;

describe.each(engines)('the outbox in $name', ({ skip, open }) => {
  async function world() {
    const store = await open();
    let at = start;
    await store.run(sql`
      INSERT INTO countersign_approvals
        (id, binding, agent, tenant, request, status, version, asked_at, decide_by, broke_glass)
      VALUES ('approval-1', 'b', 'agent-a', '', '{}', 'pending', 0, ${start}, ${start + 60}, 0)`);
    const outbox = createOutbox(store, channels, () => at);
    return {
      store,
      outbox,
      pass: (seconds: number) => {
        at += seconds;
      },
      told: async () => (await outbox.take()).map(({ channel }) => channel).toSorted(),
    };
  }

  it.skipIf(skip)('tells the channels of the groups, and all of them of an emergency', async () => {
    const { store, outbox, told } = await world();
    await store.batch(outbox.announce(approval, 'asked'));
    expect(await told()).toEqual(['app', 'releases']);
    await store.batch(outbox.announce(approval, 'approved'));
    expect(await told()).toEqual(['app']);
    await store.batch(outbox.announce(approval, 'break_glass'));
    expect(await told()).toEqual(['app', 'releases', 'sales']);
  });

  it.skipIf(skip)('gives each message to one of many processes, and again if that one dies', async () => {
    const { store, outbox, pass } = await world();
    for (let count = 0; count < 5; count++) await store.batch(outbox.announce(approval, 'asked'));
    const taken = (await Promise.all(Array.from({ length: 8 }, () => outbox.take()))).flat();
    expect(taken).toHaveLength(10);
    expect(new Set(taken.map(({ id }) => id)).size).toBe(10);
    expect(await outbox.take()).toEqual([]);
    await outbox.delivered(taken[0]?.id ?? '');
    pass(60);
    expect(await outbox.take()).toHaveLength(9);
  });

  it.skipIf(skip)('tries again ever later, gives up, and starts again when told to', async () => {
    const { store, outbox, pass } = await world();
    await store.batch(outbox.announce(approval, 'approved'));
    const waits: number[] = [];
    for (const seconds of [10, 60, 300, 1800, 7200, 28_800]) {
      const [message] = await outbox.take();
      if (message === undefined) throw new Error('nothing is due');
      await outbox.failed(message, 'it answers 500');
      pass(seconds - 1);
      if ((await outbox.take()).length === 0) waits.push(seconds);
      pass(1);
    }
    expect(waits).toEqual([10, 60, 300, 1800, 7200, 28_800]);
    const [last] = await outbox.take();
    expect(await outbox.deadLetters()).toEqual([]);
    if (last !== undefined) await outbox.failed(last, 'it answers 503');
    expect(await outbox.deadLetters()).toMatchObject([
      { channel: 'app', event: 'approved', problem: 'it answers 503' },
    ]);
    pass(1_000_000);
    expect(await outbox.take()).toEqual([]);
    expect(await outbox.retryDeadLetters()).toBe(1);
    expect(await outbox.take()).toMatchObject([{ attempts: 1 }]);
  });

  it.skipIf(skip)('forgets its messages with their approval, and no emergency that nobody reviewed', async () => {
    const { store, outbox } = await world();
    await store.batch(outbox.announce(approval, 'asked'));
    await store.run(sql`UPDATE countersign_approvals SET broke_glass = 1`);
    const later = start + 91 * 86_400;
    expect(await sweep(store, later)).toBe(0);
    await store.run(sql`UPDATE countersign_approvals SET reviewed_at = 1`);
    expect(await sweep(store, start + 89 * 86_400)).toBe(0);
    expect(await sweep(store, later)).toBe(1);
    expect(await store.run(sql`SELECT id FROM countersign_notifications`)).toEqual([]);
  });
});
