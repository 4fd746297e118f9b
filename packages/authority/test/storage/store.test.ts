import { describe, expect, it } from 'vitest';
import { createAgentRegistry } from '../../src/agents/registry.js';
import { createLedger } from '../../src/delegation/ledger.js';
import { newKey } from '../support/client.js';
import { takeOnce } from '../../src/storage/one-time.js';
import { required, sql, type Store, StoreUnavailable } from '../../src/storage/store.js';
import { sweep } from '../../src/storage/sweeper.js';
import { engines } from '../support/stores.js';

const insert = (id: string, expiresAt = 2000) =>
  sql`INSERT INTO countersign_one_time (purpose, id, expires_at) VALUES ('assertion', ${id}, ${expiresAt})
    ON CONFLICT (purpose, id) DO NOTHING RETURNING id`;
const ids = async (store: Store) =>
  (await store.run(sql`SELECT id FROM countersign_one_time ORDER BY id`)).map(({ id }) => id);

describe.each(engines)('the store in $name', ({ skip, open }) => {
  it.skipIf(skip)('returns rows with the values that were bound', async () => {
    const store = await open();
    const id = `it's "quoted"; DROP TABLE $1 ? é`;
    await store.run(insert(id, 4_102_444_800));
    expect(await store.run(sql`SELECT id, expires_at FROM countersign_one_time WHERE id = ${id}`)).toEqual([
      { id, expires_at: 4_102_444_800 },
    ]);
  });

  it.skipIf(skip)('takes an id once when 50 ask at the same time [A10]', async () => {
    const store = await open();
    for (let round = 0; round < 5; round++) {
      const id = `jti-${round}`;
      const won = await Promise.all(Array.from({ length: 50 }, () => takeOnce(store, 'assertion', id, 2000)));
      expect(won.filter(Boolean)).toHaveLength(1);
    }
    expect(await takeOnce(store, 'challenge', 'jti-0', 2000)).toBe(true);
  });

  it.skipIf(skip)('does nothing of a batch whose required statement returns no row', async () => {
    const store = await open();
    await store.batch([insert('a'), required(insert('b'))]);
    const [again] = await Promise.all([store.batch([insert('c'), required(insert('b'))]), store.run(insert('d'))]);
    expect(again).toBeUndefined();
    expect(await ids(store)).toEqual(['a', 'b', 'd']);
  });

  it.skipIf(skip)('rolls a batch back when a statement fails, and goes on', async () => {
    const store = await open();
    const broken = sql`INSERT INTO countersign_agents (id) VALUES ('x')`;
    const failing = store.batch([insert('a'), broken]);
    const fine = store.run(insert('b'));
    await expect(failing).rejects.toThrow(StoreUnavailable);
    await fine;
    expect(await ids(store)).toEqual(['b']);
  });

  it.skipIf(skip)('sweeps what expired ten minutes ago, for clocks that are behind, and nothing else', async () => {
    const store = await open();
    await store.batch(Array.from({ length: 1100 }, (_, index) => insert(`old-${index}`, 1000)));
    await store.run(insert('new', 1001));
    expect(await sweep(store, 1599)).toBe(0);
    expect(await sweep(store, 1600)).toBe(1100);
    expect(await ids(store)).toEqual(['new']);
  });

  it.skipIf(skip)(
    'keeps delegations ten minutes longer than they live, and the newest until there is another',
    async () => {
      const store = await open();
      const ledger = createLedger(store, () => 1000);
      const agents = createAgentRegistry(store, () => 1000);
      const key = newKey();
      await agents.add({ id: 'a', jwk: key.jwk });
      const entry = { issuer: 'i', subject: 's', actor: 'a', thumbprint: key.thumbprint, claims: {} };
      expect(await ledger.record({ ...entry, id: 'one', expiresAt: 1300 })).toEqual(expect.any(Number));
      expect(await ledger.record({ ...entry, id: 'two', parentId: 'one', expiresAt: 1200 })).toEqual(
        expect.any(Number),
      );
      expect(await ledger.record({ ...entry, id: 'three', parentId: 'gone', expiresAt: 1200 })).toBeUndefined();
      expect(await ledger.record({ ...entry, id: 'four', actor: 'nobody', expiresAt: 1200 })).toBeUndefined();
      expect(await sweep(store, 1899)).toBe(0);
      expect(await sweep(store, 1900)).toBe(1);
      expect(await ledger.lastPlace()).toBe(2);
      expect(await ledger.record({ ...entry, id: 'five', expiresAt: 1300 })).toBeGreaterThan(2);
      expect(await sweep(store, 1900)).toBe(1);
    },
  );

  it.skipIf(skip)('refuses to work once it is closed', async () => {
    const store = await open();
    const last = store.run(insert('a'));
    await store.close();
    expect(await last).toHaveLength(1);
    await expect(store.run(insert('b'))).rejects.toThrow(StoreUnavailable);
  });
});
