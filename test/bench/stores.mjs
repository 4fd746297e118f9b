// What a reservation costs in each replay store: CPU time of the process that reserves, and reservations a second with 16
// in flight, on one machine. Start the servers yourself, and name them:
//   COUNTERSIGN_REDIS=redis://127.0.0.1:6379 COUNTERSIGN_POSTGRES=postgres:///api pnpm bench:stores
// The ratio is to the store in memory in the same run; a busy machine changes the times.
import { randomBytes } from 'node:crypto';
import { memoryReplayStore } from '@countersign/core';
import { postgresReplay } from '@countersign/postgres';
import { redisReplay } from '@countersign/redis';
import { Redis } from 'ioredis';
import { Pool } from 'pg';
import { createClient } from 'redis';

const RESERVATIONS = 20_000;
const IN_FLIGHT = 16;
const options = { clockSkewSeconds: 0, timeoutSeconds: 10 };
const { COUNTERSIGN_REDIS: redisUrl, COUNTERSIGN_POSTGRES: postgresUrl } = process.env;

for (const [variable, url] of Object.entries({ COUNTERSIGN_REDIS: redisUrl, COUNTERSIGN_POSTGRES: postgresUrl })) {
  if (url === undefined) console.warn(`NOT MEASURED: name a server in ${variable}.`);
}

async function openStores() {
  const stores = [{ store: 'memory', replay: memoryReplayStore(), close() {} }];
  if (redisUrl !== undefined) {
    const client = await createClient({ url: redisUrl, disableOfflineQueue: true }).connect();
    stores.push({ store: 'Redis, redis', replay: await redisReplay(client, options), close: () => client.destroy() });
    const unsent = { enableOfflineQueue: false, maxRetriesPerRequest: 0, autoResendUnfulfilledCommands: false };
    const other = new Redis(redisUrl, { ...unsent, lazyConnect: true });
    await other.connect();
    stores.push({
      store: 'Redis, ioredis',
      replay: await redisReplay(other, options),
      close: () => other.disconnect(),
    });
  }
  if (postgresUrl !== undefined) {
    const pool = new Pool({ connectionString: postgresUrl, max: IN_FLIGHT });
    stores.push({ store: 'Postgres, pg', replay: await postgresReplay(pool, options), close: () => pool.end() });
  }
  return stores;
}

async function measure({ replay }) {
  const random = randomBytes(RESERVATIONS * 16).toString('hex');
  const latencies = [];
  let next = 0;
  const worker = async () => {
    while (next < RESERVATIONS) {
      const index = next++;
      const now = Date.now() / 1000;
      const nonce = random.slice(index * 32, index * 32 + 22);
      const began = performance.now();
      const proof = {
        agent: `agent-${index % 100}`,
        keyId: `key-${index % 100}`,
        nonce,
        created: now,
        until: now + 65,
        now,
      };
      const result = await replay.reserve(proof);
      latencies.push(performance.now() - began);
      if (result !== 'reserved') throw new Error(`a fresh nonce was answered with ${result}`);
    }
  };
  const cpu = process.cpuUsage();
  const began = performance.now();
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  const sorted = latencies.toSorted((one, other) => one - other);
  return { micros: (user + system) / RESERVATIONS, perSecond: RESERVATIONS / seconds, sorted };
}

const stores = await openStores();
// A store that has just begun refuses what was created in its first moment.
await new Promise((resolve) => setTimeout(resolve, 1000));
const rows = [];
for (const each of stores) {
  await measure(each);
  const { micros, perSecond, sorted } = await measure(each);
  const memory = rows[0]?.micros ?? micros;
  rows.push({ store: each.store, micros, perSecond, ratio: micros / memory, sorted });
}
const at = (sorted, share) => sorted[Math.ceil(share * sorted.length) - 1].toFixed(2);
console.table(
  rows.map(({ store, micros, perSecond, ratio, sorted }) => ({
    store,
    'CPU µs': micros.toFixed(1),
    'times memory': ratio.toFixed(0),
    'a second': Math.round(perSecond),
    'p50 ms': at(sorted, 0.5),
    'p99 ms': at(sorted, 0.99),
  })),
);
await Promise.all(stores.map(async ({ close }) => close()));
