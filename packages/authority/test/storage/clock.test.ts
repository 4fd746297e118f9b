import { inflateSync } from 'node:zlib';
import { decodeJwt } from 'jose';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { ending } from '../../src/delegation/ends.js';
import { agreedTime, steadyClock } from '../../src/storage/clock.js';
import { takeOnce, wasTaken } from '../../src/storage/one-time.js';
import { sql, type Store } from '../../src/storage/store.js';
import { startSweeper, sweep } from '../../src/storage/sweeper.js';
import { startAuthority } from '../support/authority.js';
import { claimsOf, newKey, ownToken } from '../support/client.js';
import { engines } from '../support/stores.js';

const now = () => Math.floor(Date.now() / 1000);
const day = 86_400;

/** Sets the clock of this process forward, or back. Timers go on when the test says so. */
function setClock(seconds: number): void {
  vi.useFakeTimers({ toFake: ['Date', 'setInterval', 'clearInterval'], now: Date.now() + seconds * 1000 });
  onTestFinished(() => void vi.useRealTimers());
}

/** What the sweeper of a process reports in its first minute. */
async function firstMinute(store: Store): Promise<readonly string[]> {
  const troubles: string[] = [];
  const sweeper = startSweeper(store, now, (message) => void troubles.push(message));
  vi.advanceTimersByTime(60_000);
  await sweeper.close();
  return troubles;
}

const numberOfRows = async (store: Store) =>
  await Promise.all(
    ['delegations', 'ends', 'one_time'].map(
      async (table) => (await store.run({ text: `SELECT 1 AS one FROM countersign_${table}`, values: [] })).length,
    ),
  );

describe.each(engines)('a process whose clock is ahead, on $name,', ({ skip, open }) => {
  it.skipIf(skip).each([20 * 60, 40 * day])(
    'forgets no token, end or used id when it is %i s ahead, and reports it [C7, A10]',
    async (ahead) => {
      const store = await open();
      const running = await startAuthority({ store });
      const key = newKey();
      await running.authority.agents.add({ id: 'agent-a', jwk: key.jwk, capabilities: ['repo:read'] });
      for (let count = 0; count < 2; count++) await ownToken(running, 'agent-a', key);
      await running.authority.delegations.revoke({ actor: 'agent-a' });
      await takeOnce(store, 'challenge', 'used', now() + 60);
      const before = await numberOfRows(store);
      expect(before).toEqual([2, 1, 3]);
      setClock(ahead);
      expect(await firstMinute(store)).toEqual([
        expect.stringMatching(
          /cannot be deleted: Error: the clock of this process is \d+ s ahead of that of the database$/,
        ),
      ]);
      expect(await numberOfRows(store)).toEqual(before);
    },
  );

  it.skipIf(skip)('brings no revoked token to life, even if it has swept [C7]', async () => {
    const store = await open();
    const running = await startAuthority({ store });
    const key = newKey();
    await running.authority.agents.add({ id: 'agent-a', jwk: key.jwk, capabilities: ['repo:read'] });
    const tokens = [];
    for (let count = 0; count < 3; count++)
      tokens.push(claimsOf((await ownToken(running, 'agent-a', key)).access_token));
    const [revoked, swept, newest] = tokens.map((claims) => ({ id: String(claims['jti']), ...placeIn(claims) }));
    if (revoked === undefined || swept === undefined || newest === undefined) throw new Error('no token');
    expect(await running.authority.delegations.revoke({ delegation: revoked.id })).toBe(1);
    expect(await sweep(store, now() + 20 * 60)).toBeGreaterThanOrEqual(2);
    const { status_list: list } = decodeJwt<{ status_list: { lst: string } }>(await (await fetch(newest.uri)).text());
    const bytes = inflateSync(Buffer.from(list.lst, 'base64url'));
    const status = ({ idx }: { idx: number }) => ((bytes[idx >> 3] ?? 0) >> (idx & 7)) & 1;
    expect([revoked, swept, newest, { idx: newest.idx + 1 }].map(status)).toEqual([1, 1, 0, 0]);
  });

  it.skipIf(skip)('forgets no end, even if that of the database is ahead, too [C7]', async () => {
    const store = await open();
    const running = await startAuthority({ store });
    const key = newKey();
    await running.authority.agents.add({ id: 'agent-a', jwk: key.jwk, capabilities: ['repo:read'] });
    await ownToken(running, 'agent-a', key);
    await store.batch(ending({ subject: 'acme:alice' }, now()));
    await sweep(store, now() + 40 * day);
    expect(await store.run(sql`SELECT subject FROM countersign_ends`)).toEqual([{ subject: 'acme:alice' }]);
  });

  it.skipIf(skip)('sweeps again when its clock is right again', async () => {
    const store = await open();
    await takeOnce(store, 'challenge', 'old', now() - 601);
    setClock(20 * 60);
    expect(await firstMinute(store)).toHaveLength(1);
    expect(await wasTaken(store, 'challenge', 'old')).toBe(true);
    setClock(-21 * 60);
    expect(await firstMinute(store)).toEqual([]);
    expect(await wasTaken(store, 'challenge', 'old')).toBe(false);
  });
});

function placeIn(claims: Readonly<Record<string, unknown>>): { readonly idx: number; readonly uri: string } {
  return (claims['status'] as { status_list: { idx: number; uri: string } }).status_list;
}

it.skipIf(engines[1]?.skip)(
  'an end that is made by a process whose clock is behind that of Postgres is as late as it was made [C7]',
  async () => {
    const store = await (engines[1]?.open() ?? Promise.reject(new Error('no engine')));
    const running = await startAuthority({ store });
    await running.authority.agents.add({ id: 'agent-a', jwk: newKey().jwk, capabilities: ['repo:read'] });
    const begun = now();
    setClock(-3600);
    await running.authority.delegations.revoke({ actor: 'agent-a' });
    const [row] = await store.run(sql`SELECT ended_at FROM countersign_ends`);
    expect(Number(row?.['ended_at'])).toBeGreaterThanOrEqual(begun);
  },
);

it.skipIf(engines[1]?.skip)(
  'a process whose clock is behind that of Postgres does not sweep, and reports it',
  async () => {
    const store = await (engines[1]?.open() ?? Promise.reject(new Error('no engine')));
    await takeOnce(store, 'challenge', 'old', 1);
    setClock(-20 * 60);
    expect(await firstMinute(store)).toEqual([expect.stringContaining('s behind that of the database')]);
    expect(await wasTaken(store, 'challenge', 'old')).toBe(true);
  },
);

it('agreedTime is the earlier of two clocks that differ by a minute at most', async () => {
  const store = { clock: async () => await Promise.resolve(1000) } as Store;
  expect(await agreedTime(store, () => 1060)).toBe(1000);
  expect(await agreedTime(store, () => 940)).toBe(940);
  await expect(agreedTime(store, () => 1061)).rejects.toThrow('is 61 s ahead of that of the database');
  await expect(agreedTime(store, () => 939)).rejects.toThrow('is 61 s behind that of the database');
});

it('steadyClock takes any number of readings, and the last of them counts', () => {
  vi.useFakeTimers({ toFake: ['Date', 'performance'], now: 1_000_000_000 });
  onTestFinished(() => void vi.useRealTimers());
  const read = steadyClock();
  for (let count = 0; count < 200_000; count++) read();
  vi.setSystemTime(Date.now() - 7000);
  expect(read()).toBe(999_993);
  vi.advanceTimersByTime(2000);
  expect(read()).toBe(999_995);
});

it('steadyClock follows a clock that was set forward a quarter of an hour later, and one that was set back at once', () => {
  vi.useFakeTimers({ toFake: ['Date', 'performance'], now: 1_000_000_000 });
  onTestFinished(() => void vi.useRealTimers());
  const read = steadyClock();
  vi.advanceTimersByTime(100_000);
  expect(read()).toBe(1_000_100);
  vi.setSystemTime(Date.now() + 5_000_000);
  for (const at of [1_000_100, 1_000_400, 1_000_700, 1_000_999]) {
    expect(read()).toBe(at);
    vi.advanceTimersByTime(at === 1_000_700 ? 299_000 : 300_000);
  }
  expect(read()).toBe(1_006_299);
  vi.setSystemTime(Date.now() - 5_000_000);
  expect(read()).toBe(1_001_299);
});
