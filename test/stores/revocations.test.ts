import { afterEach, describe, expect, it, vi } from 'vitest';
import { createClient } from 'redis';
import { beginPostgresRevocations } from '@countersign/postgres';
import { beginRedisRevocations } from '@countersign/redis';
import { patiently } from '../support/patiently.js';
import { poolOf } from '../support/pools.js';
import { findPostgres, startPostgres } from '../support/postgres.js';
import { findRedis, startRedis } from '../support/redis.js';
import { startApi, type StorePlace } from './processes.js';

const redis = findRedis();
const postgres = findPostgres();

const stores: Readonly<Record<string, { readonly missing: boolean; readonly start: () => Promise<Store> }>> = {
  Redis: { missing: redis === undefined, start: startRedisStore },
  Postgres: { missing: postgres === undefined, start: startPostgresStore },
};

interface Store {
  readonly place: StorePlace;
  stop(): Promise<void>;
}

async function startRedisStore(): Promise<Store> {
  const server = await startRedis(redis!);
  const client = createClient({ url: server.url, disableOfflineQueue: true });
  await client.connect();
  await beginRedisRevocations(client);
  client.destroy();
  return { place: { redis: server.url }, stop: () => server.stop() };
}

async function startPostgresStore(): Promise<Store> {
  const server = await startPostgres(postgres!);
  const pool = poolOf(server);
  await beginPostgresRevocations(pool);
  await pool.end();
  return { place: { postgres: server.connection }, stop: () => server.stop() };
}

/** `pnpm crash` asks for more than CI does. */
const rounds = Math.min(200, 10 * Number(process.env['COUNTERSIGN_KILLS'] ?? 3));

describe.each(Object.keys(stores))('two guarded processes with %s', (name) => {
  const { missing, start } = stores[name]!;
  const open: { stop(): Promise<void> }[] = [];

  afterEach(async () => {
    for (const each of open.splice(0).toReversed()) await each.stop();
  });

  it.skipIf(missing)(
    'refuse a signature that the other has accepted, and what was revoked in the other [A10]',
    async () => {
      const store = await start();
      open.push(store);
      const apis = await Promise.all([startApi(store.place), startApi(store.place)]);
      open.push(...apis);
      const [one, other] = apis;
      const request = one.sign();
      await vi.waitFor(async () => expect(await one.send(one.sign())).toBe(200), patiently);
      expect(await one.send(request)).toBe(200);
      expect(await other.send(request)).toBe(401);

      const times: number[] = [];
      for (let round = 0; round < rounds; round++) {
        await vi.waitFor(async () => expect(await other.send(other.sign())).toBe(200), patiently);
        const began = performance.now();
        await one.revoke();
        await until(async () => (await other.send(other.sign())) !== 200);
        times.push(performance.now() - began);
        await one.restore();
      }
      const sorted = times.toSorted((a, b) => a - b);
      const at = (share: number) => Math.round(sorted[Math.ceil(share * sorted.length) - 1] ?? 0);
      console.log(`${name}: ${rounds} revocations refused in the other process: p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`);
    },
  );
});

async function until(isSo: () => Promise<boolean>): Promise<void> {
  for (;;) if (await isSo()) return;
}
