// A process that reserves what it is told to, in a store that it shares with others. Started by processes.ts.
import { postgresReplay } from '@countersign/postgres';
import { redisReplay } from '@countersign/redis';
import { Pool } from 'pg';
import { createClient } from 'redis';

const { redis, postgres } = JSON.parse(process.argv[2] ?? '{}');
// A busy machine takes its time, and a reservation that nobody waits for wins nothing.
const options = { clockSkewSeconds: 0, timeoutSeconds: 10 };

async function open() {
  if (redis === undefined) {
    const pool = new Pool({ ...postgres, max: 8, connectionTimeoutMillis: 10_000 });
    pool.on('error', () => {});
    return await postgresReplay(pool, options);
  }
  const client = createClient({ url: redis, disableOfflineQueue: true, socket: { reconnectStrategy: () => 20 } });
  client.on('error', () => {});
  await client.connect();
  return await redisReplay(client, options);
}

const store = await open();

process.on('message', async ({ id, proofs }) => {
  const results = await Promise.all(
    proofs.map(async (proof) => {
      try {
        return await store.reserve({ ...proof, now: Date.now() / 1000 });
      } catch {
        return 'rejected';
      }
    }),
  );
  process.send({ id, results });
});
process.on('disconnect', () => process.exit());
process.send({ id: 'ready', results: [] });
