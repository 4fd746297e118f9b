import { describe, expect, it } from 'vitest';
import { createAgentRegistry } from '../../src/agents/registry.js';
import { createLedger } from '../../src/delegation/ledger.js';
import { newKey } from '../support/client.js';
import { engines } from '../support/stores.js';

const now = () => 1_800_000_000;

describe.each(engines)('the ledger in $name', ({ skip, open }) => {
  async function world() {
    const store = await open();
    const { keys } = await createAgentRegistry(store, now).add({ id: 'agent-a', publicKey: newKey().publicKey });
    const ledger = createLedger(store, now);
    const record = async (id: string, parentId?: string) =>
      await ledger.record({
        id,
        ...(parentId !== undefined && { parentId }),
        issuer: 'https://id.acme.dev',
        subject: 'user:alice',
        actor: 'agent-a',
        thumbprint: keys[0]?.thumbprint ?? '',
        claims: {},
        expiresAt: now() + 60,
      });
    return { ledger, record };
  }

  it.skipIf(skip)('records no hop that it would not find: of a chain at most 41 [C9]', async () => {
    const { ledger, record } = await world();
    const chain = Array.from({ length: 42 }, (_, index) => `hop-${index}`);
    const found: (readonly [boolean, boolean])[] = [];
    for (const [index, id] of chain.entries()) {
      const recorded = await record(id, chain[index - 1]);
      found.push([recorded !== undefined, (await ledger.find(id)) !== undefined]);
    }
    expect(found).toEqual(chain.map((_, index) => [index < 41, index < 41]));
  });

  it.skipIf(skip)('refuses to revoke what is misspelt or unclear [G5]', async () => {
    const { ledger } = await world();
    for (const what of [{ agent: 'agent-a' }, {}, { actor: undefined }, { actor: 'agent-a', subject: 'alice' }]) {
      await expect(ledger.revoke(what as { actor: string })).rejects.toThrow(/^delegations\.revoke: /);
    }
  });

  it.skipIf(skip)('records no hop below one that is unknown or revoked [C7]', async () => {
    const { ledger, record } = await world();
    expect(await record('of-nobody', 'unknown')).toBeUndefined();
    await record('first');
    await ledger.revoke({ delegation: 'first' });
    expect(await record('second', 'first')).toBeUndefined();
  });
});
