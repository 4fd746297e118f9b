import { describe, expect, it } from 'vitest';
import { createConsents } from '../../src/delegation/consents.js';
import { sinceLastEnd } from '../../src/delegation/ends.js';
import { createLedger } from '../../src/delegation/ledger.js';
import { createAgentRegistry } from '../../src/agents/registry.js';
import { sql } from '../../src/storage/store.js';
import { sweep } from '../../src/storage/sweeper.js';
import { newKey } from '../support/client.js';
import { engines } from '../support/stores.js';

const atStart = () => 1000;

describe.each(engines)('a consent on $name', ({ skip, open }) => {
  it.skipIf(skip)('ends by itself, and is swept with its uses', async () => {
    const store = await open();
    let now = 1000;
    const clock = () => now;
    await createAgentRegistry(store, clock).add({ id: 'agent-a', publicKey: newKey().publicKey });
    const consents = createConsents(store, createLedger(store, clock), 'https://id.acme.dev', clock);
    const content = { subject: 'alice', agent: 'agent-a', audience: 'https://api.acme.dev', scope: ['repo:read'] };
    const options = { uses: 2, question: 'question-1', questionEnds: 1600, since: 1 };
    const id = String(await consents.give({ ...content, expiresAt: 1900 }, options));
    expect(await consents.give({ ...content, expiresAt: 1900 }, options)).toBeUndefined();
    expect(await consents.find(id)).toEqual({ ...content, id, expiresAt: 1900, usesLeft: 2 });
    expect(await store.batch([consents.takeUse(id)])).toBeDefined();
    expect(await store.batch([consents.takeUse(id)])).toBeDefined();
    expect(await store.batch([consents.takeUse(id)])).toBeUndefined();
    now = 1900;
    expect(await consents.find(id)).toBeUndefined();
    expect(await consents.listOf('alice')).toEqual([]);
    await createLedger(store, clock).record({
      id: 'newer',
      issuer: 'https://id.acme.dev',
      subject: 'bob',
      actor: 'agent-a',
      thumbprint: '',
      claims: {},
      expiresAt: 9000,
    });
    await sweep(store, 3000);
    expect(await store.run(sql`SELECT id FROM countersign_consents`)).toEqual([]);
  });

  it.skipIf(skip)(
    'is not given by a user who was revoked since they were asked, whatever the clocks [C7]',
    async () => {
      const store = await open();
      await createAgentRegistry(store, atStart).add({ id: 'agent-a', publicKey: newKey().publicKey });
      const ledger = createLedger(store, atStart);
      const consents = createConsents(store, ledger, 'https://id.acme.dev', atStart);
      const content = { subject: 'alice', agent: 'agent-a', audience: 'https://api.acme.dev', scope: ['repo:read'] };
      const give = async (question: string, since: number) =>
        await consents.give({ ...content, expiresAt: 1900 }, { question, questionEnds: 1600, since });
      for (const round of [1, 2]) {
        const since = await sinceLastEnd(store, 'alice');
        await ledger.revoke({ subject: 'alice' });
        expect(await give(`late-${round}`, since)).toBeUndefined();
        expect(await give(`anew-${round}`, await sinceLastEnd(store, 'alice'))).toBeDefined();
      }
    },
  );

  it.skipIf(skip)('is not given to an agent that may not act, and the question stays open', async () => {
    const store = await open();
    const agents = createAgentRegistry(store, atStart);
    await agents.add({ id: 'agent-a', publicKey: newKey().publicKey });
    await agents.setStatus('agent-a', 'suspended');
    const consents = createConsents(store, createLedger(store, atStart), 'https://id.acme.dev', atStart);
    const content = { subject: 'alice', agent: 'agent-a', audience: 'https://api.acme.dev', scope: ['repo:read'] };
    const give = async () =>
      await consents.give({ ...content, expiresAt: 1900 }, { question: 'question-1', questionEnds: 1600, since: 1 });
    expect(await give()).toBeUndefined();
    await agents.setStatus('agent-a', 'active');
    expect(await give()).toBeDefined();
  });
});
