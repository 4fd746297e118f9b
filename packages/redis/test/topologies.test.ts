import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { Cluster, Redis } from 'ioredis';
import { createCluster } from 'redis';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { freePort } from '../../../test/support/free-port.js';
import { patiently } from '../../../test/support/patiently.js';
import { findRedis, type RedisServer, startRedis } from '../../../test/support/redis.js';
import { freshProof } from '../../../test/support/shared-replay.js';
import { freshAgent, revokedIn } from '../../../test/support/shared-revocations.js';
import {
  beginRedisAgents,
  beginRedisRevocations,
  redisAgents,
  type RedisClient,
  redisReplay,
  redisRevocations,
} from '../src/index.js';

const program = findRedis();
const options = { clockSkewSeconds: 0, timeoutSeconds: 5 };
const unsent = { maxRetriesPerRequest: 0, autoResendUnfulfilledCommands: false } as const;

describe.skipIf(program === undefined)('a cluster of three masters', () => {
  let servers: readonly RedisServer[] = [];

  beforeAll(async () => {
    servers = await Promise.all([startNode(), startNode(), startNode()]);
    const nodes = servers.map(({ port }) => `127.0.0.1:${port}`);
    const cli = join(dirname(program!), 'redis-cli');
    const made = spawnSync(cli, ['--cluster', 'create', ...nodes, '--cluster-yes'], { encoding: 'utf8' });
    if (made.status !== 0) throw new Error(made.stdout + made.stderr);
  });
  afterAll(async () => {
    await Promise.all(servers.map((server) => server.stop()));
  });

  it.each(['redis', 'ioredis'] as const)(
    'keeps all state of one prefix on one node, with a client of %s [A10]',
    async (name) => {
      const { client, close } = name === 'redis' ? await nodeCluster() : await ioCluster();
      try {
        const prefix = `of-${name}`;
        await vi.waitFor(async () => await beginRedisRevocations(client, { prefix }), patiently);
        const [one, other] = [
          await redisReplay(client, { ...options, prefix }),
          await redisReplay(client, { ...options, prefix }),
        ];
        const proof = freshProof();
        expect(await one.reserve(proof)).toBe('reserved');
        expect(await other.reserve(proof)).toBe('replayed');
        const lists = [await redisRevocations(client, { prefix }), await redisRevocations(client, { prefix })] as const;
        const agent = freshAgent();
        await lists[0].revoke(agent);
        await vi.waitFor(() => expect(revokedIn(lists[1], agent)).toBe(agent), patiently);
        await Promise.all(lists.map((list) => list.close()));
        await beginRedisAgents(client, { prefix });
        expect(await redisAgents(client, { prefix }).statusOf('nobody')).toBe('unknown');
      } finally {
        close();
      }
    },
  );

  it('is refused with a client of ioredis that sends commands again', async () => {
    const cluster = new Cluster([{ host: '127.0.0.1', port: servers[0]!.port }], { lazyConnect: true });
    await expect(redisReplay(cluster)).rejects.toThrow('sends commands again');
  });

  async function nodeCluster(): Promise<{ client: RedisClient; close(): void }> {
    const client = createCluster({ rootNodes: [{ url: servers[0]!.url }], defaults: { disableOfflineQueue: true } });
    client.on('error', () => {});
    await client.connect();
    return { client, close: () => client.destroy() };
  }

  async function ioCluster(): Promise<{ client: RedisClient; close(): void }> {
    const client = new Cluster([{ host: '127.0.0.1', port: servers[0]!.port }], {
      enableOfflineQueue: false,
      lazyConnect: true,
      redisOptions: unsent,
    });
    client.on('error', () => {});
    await client.connect();
    return { client, close: () => client.disconnect() };
  }
});

describe.skipIf(program === undefined)('a master and a replica behind Sentinel', () => {
  let master: RedisServer;
  let replica: RedisServer;
  let sentinel: RedisServer;

  beforeAll(async () => {
    master = await startRedis(program!);
    replica = await startRedis(program!, ['--replicaof', `127.0.0.1 ${master.port}`]);
    const file = join(replica.folder, 'sentinel.conf');
    writeFileSync(
      file,
      `sentinel monitor main 127.0.0.1 ${master.port} 1\nsentinel down-after-milliseconds main 500\n` +
        'sentinel failover-timeout main 3000\n',
    );
    sentinel = await startRedis(program!, [], { file });
  });
  afterAll(async () => {
    await Promise.all([sentinel, replica, master].map((server) => server.stop()));
  });

  it('refuses what was signed before a failover, and accepts what is signed after by itself [A10]', async () => {
    const client = new Redis({
      sentinels: [{ host: '127.0.0.1', port: sentinel.port }],
      name: 'main',
      enableOfflineQueue: false,
      lazyConnect: true,
      ...unsent,
      retryStrategy: () => 50,
      sentinelRetryStrategy: () => 50,
    });
    client.on('error', () => {});
    await client.connect();
    try {
      const store = await redisReplay(client, options);
      const used = freshProof();
      expect(await store.reserve(used)).toBe('reserved');
      await vi.waitFor(() => expect(replicasKnown()).toBe(true), patiently);
      await master.kill('SIGKILL');
      const old = { ...used, nonce: freshProof().nonce };
      await vi.waitFor(
        async () => expect(await store.reserve({ ...old, now: Date.now() / 1000 })).toBe('before_epoch'),
        { interval: 50, timeout: 40_000 },
      );
      expect(['replayed', 'before_epoch']).toContain(await store.reserve({ ...used, now: Date.now() / 1000 }));
      await vi.waitFor(async () => expect(await store.reserve(freshProof())).toBe('reserved'), patiently);
    } finally {
      client.disconnect();
    }
  });

  /** Without it, Sentinel has nothing to promote. */
  function replicasKnown(): boolean {
    const cli = join(dirname(program!), 'redis-cli');
    const { stdout } = spawnSync(cli, ['-p', `${sentinel.port}`, 'SENTINEL', 'REPLICAS', 'main'], { encoding: 'utf8' });
    return stdout.includes(`${replica.port}`) && stdout.includes('master-link-status\nok');
  }
});

/** Its bus would be on an ephemeral port by default, which somebody may have. */
async function startNode(): Promise<RedisServer> {
  return await startRedis(program!, ['--cluster-enabled', 'yes', '--cluster-port', `${await freePort()}`]);
}
