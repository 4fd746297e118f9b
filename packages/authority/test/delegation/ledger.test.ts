import { describe, expect, it } from 'vitest';
import { createAgentRegistry } from '../../src/agents/registry.js';
import { createLedger } from '../../src/delegation/ledger.js';
import { sql, type Store } from '../../src/storage/store.js';
import { newKey } from '../support/client.js';
import { engines } from '../support/stores.js';

const now = () => 1_800_000_000;

/** Writes rows that are settled, with the places from 1 on. */
async function fill(store: Store, rows: number) {
  await store.run(sql`
    INSERT INTO countersign_delegations
      (id, issuer, subject, actor, thumbprint, claims, expires_at, created_at, granted_at)
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})
    SELECT 'row-' || i, 'https://id.acme.dev', 'user:alice', 'agent-a', 't', '{}', ${now() + 60}, ${now() - 120}, 0 FROM n`);
}

describe.each(engines)('the ledger in $name', ({ name, skip, open }) => {
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
    const missingAt = async (at: number) => await createLedger(store, () => at).missing();
    return { store, ledger, record, missingAt };
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

  it.skipIf(skip)('misses the places whose rows are gone, and none that may still get one [C7]', async () => {
    const { store, record, missingAt } = await world();
    for (const id of ['a', 'b', 'c', 'd', 'e', 'f']) await record(id);
    await store.run(sql`DELETE FROM countersign_delegations WHERE id IN ('b', 'd', 'e')`);
    // A transaction that is not over could have one of them.
    expect(await missingAt(now() + 119)).toEqual([]);
    expect(await missingAt(now() + 120)).toEqual([
      [2, 2],
      [4, 5],
    ]);
    await store.run(sql`DELETE FROM countersign_delegations WHERE id IN ('a', 'c')`);
    expect(await missingAt(now())).toEqual([[1, 5]]);
    await store.run(sql`UPDATE countersign_delegations SET created_at = created_at - 120`);
    await record('g');
    expect(await missingAt(now())).toEqual([[1, 5]]);
  });

  it.skipIf(skip)('misses the same places of many rows, which it reads a part at a time [C7]', async () => {
    const { store, ledger } = await world();
    expect(await ledger.missing()).toEqual([]);
    await fill(store, 12_000);
    expect(await ledger.missing()).toEqual([]);
    await store.run(sql`
      DELETE FROM countersign_delegations
      WHERE idx IN (1, 4999, 5001, 12000) OR idx BETWEEN 6000 AND 11500`);
    expect(await ledger.missing()).toEqual([
      [1, 1],
      [4999, 4999],
      [5001, 5001],
      [6000, 11_500],
    ]);
    await store.run(sql`DELETE FROM countersign_delegations WHERE idx < 11990`);
    expect(await ledger.missing()).toEqual([[1, 11_989]]);
  });

  it.skipIf(skip || name !== 'SQLite')('lets others in while it looks for missing places', async () => {
    const { store, ledger } = await world();
    await fill(store, 12_000);
    const order: string[] = [];
    const looking = ledger.missing().then(() => order.push('missing'));
    for (let request = 1; request <= 2; request++) {
      await ledger.lastPlace();
      order.push('another');
    }
    await looking;
    expect(order).toEqual(['another', 'another', 'missing']);
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
