import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createAgentRegistry } from '../../src/agents/registry.js';
import { createWorkloads } from '../../src/agents/workloads.js';
import { createLedger } from '../../src/delegation/ledger.js';
import { noTrail } from '../../src/trail/trail.js';
import { type Store, sql } from '../../src/storage/store.js';
import { sweep } from '../../src/storage/sweeper.js';
import { newKey } from '../support/client.js';
import { engines } from '../support/stores.js';

const facts = { capabilities: ['repo:read'], roles: [], tags: [], redirectUris: [] };
const rules = [
  { id: 'spiffe://example.org/ci/release', facts },
  { id: 'spiffe://example.org/ci/*', facts: { ...facts, tags: ['ci'] } },
  { id: 'spiffe://example.org/agent/a', facts },
];
const ci = (name: string) => `spiffe://example.org/ci/${name}`;
const day = 86_400;

function world(store: Store, rulesNow = rules) {
  let at = 1_000_000;
  const now = () => at;
  const agents = createAgentRegistry(store, now, noTrail, rulesNow);
  const workloads = createWorkloads({ store, agents, rules: rulesNow, now });
  return {
    agents,
    workloads,
    now,
    pass: (seconds: number) => void (at += seconds),
    sweepNow: async () => await sweep(store, at),
    statusOf: async (id: string) => (await workloads.agentOf(id))?.status,
    dead: async () => await createLedger(store, now).dead(),
    token: async (actor: string, expiresAt: number) => {
      const claims = {
        id: randomUUID(),
        issuer: 'https://id.acme.dev',
        subject: actor,
        actor,
        thumbprint: '',
        claims: {},
      };
      return await createLedger(store, now).record({ ...claims, expiresAt });
    },
  };
}

describe.each(engines)('workloads on $name', ({ skip, open }) => {
  it.skipIf(skip)('are suspended or revoked before they come, by their ID [C7]', async () => {
    const { agents, statusOf } = world(await open());
    expect(await agents.setStatus(ci('a'), 'suspended')).toMatchObject({ status: 'suspended', tags: ['ci'] });
    await agents.setStatus('spiffe://example.org/agent/a', 'revoked');
    expect(await statusOf(ci('a'))).toBe('suspended');
    expect(await statusOf('spiffe://example.org/agent/a')).toBe('revoked');
    expect((await agents.listPublished()).map(({ id }) => id)).toEqual(['spiffe://example.org/agent/a', ci('a')]);
    await agents.setStatus(ci('a'), 'active');
    expect(await statusOf(ci('a'))).toBe('active');
    await expect(agents.setStatus('spiffe://example.org/agent/a', 'active')).rejects.toMatchObject({
      code: 'status_conflict',
    });
    for (const id of ['spiffe://example.org/other', 'spiffe://example.org/ci/a b', 'spiffe://example.org/ci/*']) {
      await expect(agents.setStatus(id, 'suspended')).rejects.toMatchObject({ code: 'agent_unknown' });
    }
  });

  it.skipIf(skip)('are kept out by a pattern, whether they came before or not [C7]', async () => {
    const { agents, statusOf, token, now } = world(await open());
    await statusOf(ci('a'));
    await statusOf('spiffe://example.org/agent/a');
    expect(await agents.setStatusByPattern('spiffe://example.org/ci/*', 'suspended')).toEqual([ci('a')]);
    expect(await agents.listStops()).toEqual(['spiffe://example.org/ci/*']);
    expect(await statusOf(ci('a'))).toBe('suspended');
    expect(await token(ci('a'), now() + 60)).toBeUndefined();
    expect(await statusOf(ci('new'))).toBeUndefined();
    expect(await statusOf(ci('release'))).toBeUndefined();
    expect(await agents.get(ci('new'))).toBeUndefined();
    expect(await statusOf('spiffe://example.org/agent/a')).toBe('active');
    // One that is let through in spite of it.
    await agents.setStatus(ci('release'), 'active');
    expect(await statusOf(ci('release'))).toBe('active');
    await agents.setStatusByPattern('spiffe://example.org/ci/*', 'active');
    expect(await agents.listStops()).toEqual([]);
    expect(await Promise.all(['a', 'new'].map((name) => statusOf(ci(name))))).toEqual(['active', 'active']);
  });

  it.skipIf(skip)('stay suspended by their ID when a pattern is active again [C7]', async () => {
    const { agents, statusOf } = world(await open());
    await statusOf(ci('a'));
    // One that came before, and one that did not.
    for (const name of ['a', 'b']) await agents.setStatus(ci(name), 'suspended');
    await agents.setStatusByPattern('spiffe://example.org/ci/*', 'suspended');
    await agents.setStatus(ci('a'), 'suspended');
    expect((await agents.get(ci('a')))?.suspendedBy).toEqual(['spiffe://example.org/ci/*', 'id']);
    expect(await agents.setStatusByPattern('spiffe://example.org/ci/*', 'active')).toEqual([]);
    expect(await Promise.all(['a', 'b'].map((name) => statusOf(ci(name))))).toEqual(['suspended', 'suspended']);
  });

  it.skipIf(skip)('are kept out by a tag of their rule, and by no other tag', async () => {
    const { agents, statusOf } = world(await open());
    await agents.add({ id: 'agent-a', tags: ['ci'], publicKey: newKey().publicKey });
    await statusOf(ci('a'));
    expect(await agents.setStatusByTag('ci', 'suspended')).toEqual(['agent-a', ci('a')]);
    expect(await statusOf(ci('new'))).toBeUndefined();
    // An earlier rule, without the tag, names it.
    expect(await statusOf(ci('release'))).toBe('active');
    expect(await agents.listStops()).toEqual(['tag ci']);
    expect(await agents.setStatusByTag('ci', 'active')).toEqual(['agent-a', ci('a')]);
    expect(await statusOf(ci('new'))).toBe('active');
  });

  it.skipIf(skip)('are suspended by a tag that their rule got after they came [C7]', async () => {
    const store = await open();
    const before = world(store);
    await Promise.all(['a', 'release'].map((name) => before.statusOf(ci(name))));
    await before.agents.add({ id: 'spiffe://example.org/ci/registered', publicKey: newKey().publicKey });
    const tagged = rules.map((rule) =>
      rule.id.endsWith('/*') ? { ...rule, facts: { ...facts, tags: ['ci', 'incident'] } } : rule,
    );
    const { agents, statusOf } = world(store, tagged);
    expect(await agents.setStatusByTag('incident', 'suspended')).toEqual([ci('a')]);
    expect(await statusOf(ci('a'))).toBe('suspended');
    // An earlier rule, without the tag, names it.
    expect(await statusOf(ci('release'))).toBe('active');
    expect(await agents.setStatusByTag('incident', 'active')).toEqual([ci('a')]);
    expect(await statusOf(ci('a'))).toBe('active');
  });

  it.skipIf(skip)(
    'are suspended when their rule gets a tag that is stopped already, until they are let through [C7]',
    async () => {
      const store = await open();
      const before = world(store);
      await Promise.all(['a', 'b', 'release'].map((name) => before.statusOf(ci(name))));
      const tagged = rules.map((rule) =>
        rule.id.endsWith('/*') ? { ...rule, facts: { ...facts, tags: ['ci', 'incident'] } } : rule,
      );
      await before.agents.setStatusByTag('incident', 'suspended');
      expect(await before.agents.listStops()).toContain('tag incident');
      const { agents, statusOf } = world(store, tagged);
      expect((await agents.list({ tag: 'incident' })).map(({ id }) => id)).toEqual([ci('a'), ci('b')]);
      // Let through before it comes again.
      await agents.setStatus(ci('b'), 'active');
      expect(await Promise.all(['a', 'b', 'release'].map((name) => statusOf(ci(name))))).toEqual([
        'suspended',
        'active',
        'active',
      ]);
      expect((await agents.listPublished()).map(({ id }) => id)).toEqual([ci('a')]);
      expect((await agents.get(ci('a')))?.suspendedBy).toEqual(['tag incident']);
      await agents.setStatus(ci('a'), 'active');
      expect(await statusOf(ci('a'))).toBe('active');
      await before.statusOf(ci('c'));
      expect(await statusOf(ci('c'))).toBe('suspended');
      expect(await agents.setStatusByTag('incident', 'active')).toEqual([ci('c')]);
      expect(await statusOf(ci('c'))).toBe('active');
    },
  );

  it.skipIf(skip)(
    'stay suspended by a stopped tag that their rule got while a pattern suspended them, also if they asked then [C7]',
    async () => {
      const store = await open();
      const before = world(store);
      await Promise.all(['a', 'b'].map((name) => before.statusOf(ci(name))));
      await before.agents.setStatusByPattern('spiffe://example.org/ci/*', 'suspended');
      await before.agents.setStatusByTag('incident', 'suspended');
      expect(await before.agents.listStops()).toContain('tag incident');
      const tagged = rules.map((rule) =>
        rule.id.endsWith('/*') ? { ...rule, facts: { ...facts, tags: ['ci', 'incident'] } } : rule,
      );
      const { agents, statusOf } = world(store, tagged);
      expect(await statusOf(ci('a'))).toBe('suspended');
      expect(await agents.get(ci('a'))).toMatchObject({
        tags: ['ci', 'incident'],
        suspendedBy: ['spiffe://example.org/ci/*', 'tag incident'],
      });
      expect(await agents.setStatusByPattern('spiffe://example.org/ci/*', 'active')).toEqual([ci('b')]);
      expect(await Promise.all(['a', 'b'].map((name) => statusOf(ci(name))))).toEqual(['suspended', 'suspended']);
      expect(await agents.setStatusByTag('incident', 'active')).toEqual([ci('a'), ci('b')]);
    },
  );

  it.skipIf(skip)('are kept out by a tag that was suspended before any rule had it [C7]', async () => {
    const store = await open();
    const withoutRules = world(store, []);
    await withoutRules.agents.setStatusByTag('ci', 'suspended');
    // No workload can come.
    expect(await withoutRules.agents.listStops()).toEqual([]);
    const { agents, statusOf } = world(store);
    expect(await agents.listStops()).toEqual(['tag ci']);
    expect(await statusOf(ci('a'))).toBeUndefined();
    expect(await statusOf(ci('release'))).toBe('active');
  });

  it.skipIf(skip)('are kept out until their pattern is active again, if it was revoked', async () => {
    const { agents, statusOf } = world(await open());
    await statusOf(ci('a'));
    await agents.setStatusByPattern('spiffe://example.org/*', 'revoked');
    expect(await statusOf(ci('a'))).toBe('revoked');
    expect(await statusOf(ci('new'))).toBeUndefined();
    await agents.setStatusByPattern('spiffe://example.org/*', 'active');
    expect(await statusOf(ci('a'))).toBe('revoked');
    expect(await statusOf(ci('new'))).toBe('active');
  });

  it.skipIf(skip).each(['spiffe://example.org/ci', 'spiffe://example.org/ci/**', '*', 'spiffe://example.org/ci/./*'])(
    'are not named by %s, which is no pattern',
    async (pattern) => {
      const { agents } = world(await open());
      await expect(agents.setStatusByPattern(pattern, 'suspended')).rejects.toMatchObject({ code: 'agent_invalid' });
    },
  );

  it.skipIf(skip)('are named by no pattern that meets no rule', async () => {
    const { agents } = world(await open());
    const misspelt = agents.setStatusByPattern('spiffe://example.org/cl/*', 'suspended');
    await expect(misspelt).rejects.toMatchObject({ code: 'agent_unknown' });
    await agents.setStatusByPattern('spiffe://example.org/ci/nightly/*', 'suspended');
    expect(await agents.listStops()).toEqual(['spiffe://example.org/ci/nightly/*']);
  });

  it.skipIf(skip)('that come while a pattern is stopped are not active afterwards, and have no token', async () => {
    const { agents, workloads, statusOf, token, now, dead } = world(await open());
    for (let round = 0; round < 5; round += 1) {
      const come = async (index: number): Promise<number | undefined> => {
        const id = ci(`${round}/${index}`);
        return (await workloads.agentOf(id))?.status === 'active' ? await token(id, now() + 60) : undefined;
      };
      const coming = Array.from({ length: 20 }, async (_, index) => await come(index));
      await agents.setStatusByPattern('spiffe://example.org/ci/*', 'suspended');
      const late = Array.from({ length: 5 }, async (_, index) => await come(20 + index));
      expect(await Promise.all(late)).toEqual(late.map(() => undefined));
      const issued = (await Promise.all(coming)).filter((place) => place !== undefined);
      expect((await agents.list()).filter(({ status }) => status === 'active')).toEqual([]);
      expect(await dead()).toEqual(expect.arrayContaining(issued));
      expect(await statusOf(ci(`${round}/after`))).toBeUndefined();
      await agents.setStatusByPattern('spiffe://example.org/ci/*', 'active');
    }
  });

  it.skipIf(skip)('are forgotten a day after their last token, unless they have a state of their own', async () => {
    const { agents, statusOf, token, now, pass, sweepNow } = world(await open());
    for (const name of ['idle', 'busy', 'suspended']) await statusOf(ci(name));
    await agents.setStatus(ci('suspended'), 'suspended');
    await agents.add({ id: 'agent-a', publicKey: newKey().publicKey });
    await token(ci('idle'), now() + 300);
    pass(day - 1);
    expect(await sweepNow()).toBe(0);
    expect(await agents.list()).toHaveLength(4);
    await statusOf(ci('busy'));
    pass(1);
    expect(await sweepNow()).toBe(1);
    expect((await agents.list()).map(({ id }) => id)).toEqual(['agent-a', ci('busy'), ci('suspended')]);
    expect(await agents.get(ci('busy'))).toMatchObject({ seenAt: 1_000_000 + day - 1 });
    // It comes again as if for the first time.
    expect(await statusOf(ci('idle'))).toBe('active');
    pass(day);
    await token(ci('busy'), now() + 300);
    await agents.setStatusByTag('ci', 'suspended');
    await agents.setStatus(ci('busy'), 'active');
    await agents.setStatus(ci('idle'), 'active');
    // Let through in spite of a stop, which would keep it out if it came again.
    await sweepNow();
    expect(await agents.get(ci('idle'))).toBeDefined();
    await agents.setStatusByTag('ci', 'active');
    await sweepNow();
    expect(await agents.get(ci('idle'))).toBeUndefined();
    expect(await agents.get(ci('busy'))).toBeDefined();
  });

  it.skipIf(skip)('get a token while they are about to be forgotten', async () => {
    const store = await open();
    const { workloads, agents, pass, sweepNow, token, now } = world(store);
    for (let round = 0; round < 20; round += 1) {
      await workloads.agentOf(ci('a'));
      await store.run(sql`DELETE FROM countersign_delegations`);
      pass(2 * day);
      const [came] = await Promise.all([
        workloads.agentOf(ci('a')).then(async () => await token(ci('a'), now() + 300)),
        sweepNow(),
      ]);
      expect(came).toBeDefined();
      expect(await agents.get(ci('a'))).toBeDefined();
    }
  });

  it.skipIf(skip)('own the names that their rules cover', async () => {
    const { agents } = world(await open());
    expect(await Promise.all([ci('a'), 'spiffe://example.org/other', 'alice'].map((id) => agents.isName(id)))).toEqual([
      true,
      false,
      false,
    ]);
  });
});
