import { ConfigError } from '@countersign/common';
import { describe, expect, it } from 'vitest';
import { createSeal } from '../../src/keys/seal.js';
import { openSigningKeys, type SigningKeys } from '../../src/keys/signing-keys.js';
import { sql, type Store } from '../../src/storage/store.js';
import { engines } from '../support/stores.js';

const secret = 'secret-of-the-tests-0123456789-0123456789';
const day = 86_400;
const wrong = async (): Promise<number> => await Promise.reject(new Error('the clock is ahead'));

async function keysAt(
  store: Store,
  now: () => number,
  change: { secret?: string; agreedTime?: () => Promise<number> } = {},
): Promise<SigningKeys> {
  const keys = await openSigningKeys({
    store,
    seal: createSeal(change.secret ?? secret),
    rotationDays: 90,
    longestTokenSeconds: 300,
    now,
    agreedTime: change.agreedTime ?? (async () => await Promise.resolve(now())),
    onTrouble: () => {},
  });
  keys.close();
  return keys;
}

describe.each(engines)('signing keys on $name', ({ skip, open }) => {
  it.skipIf(skip)('are the same in all processes that start at once', async () => {
    const store = await open();
    const all = await Promise.all(Array.from({ length: 5 }, () => keysAt(store, () => 1000)));
    for (const keys of all) await keys.refresh();
    expect(new Set(all.map((keys) => keys.current(1000).kid)).size).toBe(1);
  });

  it.skipIf(skip)(
    'are published before they sign, in every process, and until their last token has expired',
    async () => {
      const store = await open();
      let now = 1000;
      const [one, other] = [await keysAt(store, () => now), await keysAt(store, () => now)];
      const first = one.current(now).kid;
      await one.rotate();
      await one.rotate();
      await other.refresh();
      for (const keys of [one, other]) {
        expect(keys.current(now).kid).toBe(first);
        expect(keys.published(now).map(({ kid }) => kid)).toHaveLength(2);
        expect(keys.published(now)[0]?.kid).toBe(first);
        expect(keys.current(1599).kid).toBe(first);
        const second = keys.current(1600).kid;
        expect(second).not.toBe(first);
        expect(keys.published(1600).map(({ kid }) => kid)).toEqual([second, first]);
        expect(keys.published(1600 + 299).map(({ kid }) => kid)).toContain(first);
        expect(keys.published(1600 + 900).map(({ kid }) => kid)).toEqual([second]);
      }
      now = 1600 + 10_000;
      await other.refresh();
      expect(await store.run(sql`SELECT kid FROM countersign_signing_keys`)).toHaveLength(1);
    },
  );

  it.skipIf(skip)('are replaced by themselves when they are old', async () => {
    const store = await open();
    let now = 1000;
    const keys = await keysAt(store, () => now);
    const first = keys.current(now).kid;
    now += 90 * day - 601;
    await keys.refresh();
    expect(keys.published(now)).toHaveLength(1);
    now += 1;
    await keys.refresh();
    expect(keys.published(now)).toHaveLength(2);
    expect(keys.current(now).kid).toBe(first);
    expect(keys.current(now + 600).kid).not.toBe(first);
  });

  it.skipIf(skip)('are neither made nor deleted by a process whose clock is wrong', async () => {
    const store = await open();
    let now = 1000;
    const right = await keysAt(store, () => now);
    const ahead = await keysAt(store, () => now + 100 * day, { agreedTime: wrong });
    await expect(ahead.refresh()).rejects.toThrow('the clock is ahead');
    await expect(ahead.rotate()).rejects.toThrow('the clock is ahead');
    await right.rotate();
    now += 600;
    await expect(ahead.refresh()).rejects.toThrow('the clock is ahead');
    // It has read what the others changed.
    expect(ahead.current(now).kid).toBe(right.current(now).kid);
    expect(await store.run(sql`SELECT kid FROM countersign_signing_keys`)).toHaveLength(2);
  });

  it.skipIf(skip)('begin now if a wrong clock left only keys of the future, also without a restart', async () => {
    const store = await open();
    const future = (await keysAt(store, () => 100 * day)).current(100 * day).kid;
    const [restarted, running] = [await keysAt(store, () => 1000), await keysAt(store, () => 1030)];
    const { kid } = restarted.current(1000);
    expect(kid).not.toBe(future);
    expect(running.current(1030).kid).toBe(kid);
    await store.run(sql`DELETE FROM countersign_signing_keys WHERE kid = ${kid}`);
    await running.refresh();
    expect(running.current(1030).kid).not.toBe(future);
    // A key of the future is nobody's next one.
    await running.rotate();
    expect(running.current(1630).kid).not.toBe(running.current(1030).kid);
  });

  it.skipIf(skip)('are sealed in the database, and cannot be opened with another secret', async () => {
    const store = await open();
    await keysAt(store, () => 1000);
    const [row] = await store.run(sql`SELECT sealed FROM countersign_signing_keys`);
    expect(String(row?.['sealed'])).not.toContain('OKP');
    const wrong = keysAt(store, () => 1000, { secret: `another-${secret}` });
    await expect(wrong).rejects.toThrow(ConfigError);
    await expect(wrong).rejects.toThrow(/secret/);
  });
});
