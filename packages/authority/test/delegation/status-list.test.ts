import { inflateSync } from 'node:zlib';
import { decodeJwt } from 'jose';
import { expect, it, onTestFinished, vi } from 'vitest';
import type { Ledger } from '../../src/delegation/ledger.js';
import { createStatusLists } from '../../src/delegation/status-list.js';
import { createSeal } from '../../src/keys/seal.js';
import { openSigningKeys } from '../../src/keys/signing-keys.js';
import { openSqlite } from '../../src/storage/sqlite.js';

const now = () => 1000;

/** Lists of a ledger that needs so long to find the dead tokens. */
async function lists(milliseconds: number, gone: readonly (readonly [first: number, last: number])[] = []) {
  vi.useFakeTimers({ toFake: ['performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const keys = await openSigningKeys({
    store: await openSqlite(':memory:'),
    seal: createSeal('secret-of-the-tests-0123456789-0123456789'),
    rotationDays: 90,
    longestTokenSeconds: 300,
    now,
    agreedTime: async () => await Promise.resolve(now()),
    onTrouble: () => {},
  });
  keys.close();
  let [reads, looks] = [0, 0];
  const ledger: Pick<Ledger, 'dead' | 'missing' | 'lastPlace'> = {
    async dead() {
      reads++;
      vi.advanceTimersByTime(milliseconds);
      return await Promise.resolve([reads]);
    },
    missing: async () => await Promise.resolve(gone),
    async lastPlace() {
      looks++;
      return await Promise.resolve(200_000);
    },
  };
  return {
    read: createStatusLists({ issuer: 'https://id.acme.dev', ledger: ledger as Ledger, keys, now }),
    reads: () => reads,
    looks: () => looks,
  };
}

it('status lists are read once for all numbers, and again after 20 times as long as that took [I6]', async () => {
  const { read, reads } = await lists(10);
  const first = await read(0);
  await Promise.all([0, 1, 2, 3, 0].map(read));
  vi.advanceTimersByTime(199);
  expect([await read(0), reads()]).toEqual([first, 1]);
  vi.advanceTimersByTime(1);
  expect(await read(0)).not.toBe(first);
  expect(reads()).toBe(2);
});

it('status lists are looked for once or twice when many ask for one that does not exist [I6]', async () => {
  const { read, reads, looks } = await lists(10);
  expect(await Promise.all([4, 5, 6, 7, 8, 4].map(read))).toEqual(Array.from({ length: 6 }, () => undefined));
  expect([reads(), looks()]).toEqual([0, 2]);
  expect(await read(3)).toBeDefined();
});

it('status lists are never held for more than 5 seconds', async () => {
  const { read, reads } = await lists(2000);
  await read(0);
  vi.advanceTimersByTime(4999);
  await read(0);
  expect(reads()).toBe(1);
  vi.advanceTimersByTime(1);
  await read(0);
  expect(reads()).toBe(2);
});

it('status lists say of places whose tokens the ledger has lost that they are revoked, in every list they reach [C7]', async () => {
  const { read } = await lists(10, [
    [2, 3],
    [65_530, 196_609],
  ]);
  const setIn = async (list: number) => {
    const { status_list: packed } = decodeJwt<{ status_list: { lst: string } }>((await read(list)) ?? '');
    const bytes = inflateSync(Buffer.from(packed.lst, 'base64url'));
    return Array.from({ length: 65_536 }, (_, place) => place).filter(
      (place) => ((bytes[place >> 3] ?? 0) >> (place & 7)) & 1,
    );
  };
  expect(await setIn(0)).toEqual([1, 2, 3, 65_530, 65_531, 65_532, 65_533, 65_534, 65_535]);
  expect(await setIn(1)).toHaveLength(65_536);
  expect(await setIn(2)).toHaveLength(65_536);
  expect(await setIn(3)).toEqual([0, 1]);
});
