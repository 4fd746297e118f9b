import { createClient } from 'redis';
import { Redis } from 'ioredis';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { patiently } from '../../../test/support/patiently.js';
import { findRedis, type RedisServer, startRedis } from '../../../test/support/redis.js';
import { type OpenClient, redisClients } from '../../../test/support/redis-clients.js';
import { freshProof, itIsAReplayStore } from '../../../test/support/shared-replay.js';
import {
  beginRedisAgents,
  beginRedisRevocations,
  redisAgents,
  type RedisClient,
  redisReplay,
  redisRevocations,
} from '../src/index.js';

const program = findRedis();
/** A replica gets its data at once. */
const soon = ['--repl-diskless-sync-delay', '0'];
const options = { clockSkewSeconds: 0, timeoutSeconds: 0.5 };

describe.skipIf(program === undefined).each(['redis', 'ioredis'] as const)(
  'redisReplay with a client of %s',
  (name) => {
    let server: RedisServer;
    let opened: OpenClient<RedisClient>;

    beforeAll(async () => {
      server = await startRedis(program!);
      opened = await redisClients[name](server.url);
    });
    afterAll(async () => {
      opened.close();
      await server.stop();
    });

    itIsAReplayStore(() => ({ open: (change) => redisReplay(opened.client, { ...options, ...change }) }));

    it('refuses once what was signed before the server was emptied or restarted, and accepts what is signed after', async () => {
      const store = await redisReplay(opened.client, options);
      const losses = [
        async () => await runOnServer(server, (client) => client.flushAll()),
        async () => {
          await server.kill('SIGKILL');
          await server.start();
        },
      ];
      for (const lose of losses) {
        const used = freshProof();
        expect(await store.reserve(used)).toBe('reserved');
        await lose();
        const after = await vi.waitFor(async () => {
          const result = await store.reserve({ ...used, now: Date.now() / 1000 });
          return result;
        }, patiently);
        expect(after).toBe('before_epoch');
        await vi.waitFor(async () => expect(await store.reserve(freshProof())).toBe('reserved'), patiently);
      }
    });

    it('rejects within its time limit while the server hangs, and recovers by itself [A10]', async () => {
      const store = await redisReplay(opened.client, options);
      await server.kill('SIGSTOP');
      const began = performance.now();
      await expect(store.reserve(freshProof())).rejects.toThrow('did not answer within 0.5 s');
      expect(performance.now() - began).toBeLessThan(5000);
      await server.kill('SIGCONT');
      await vi.waitFor(async () => expect(await store.reserve(freshProof())).toBe('reserved'), patiently);
    });

    it('rejects at once while there is no connection [A10]', async () => {
      const store = await redisReplay(opened.client, options);
      await server.kill('SIGKILL');
      await vi.waitFor(async () => await expect(store.reserve(freshProof())).rejects.not.toThrow('within'), patiently);
      await server.start();
      await vi.waitFor(async () => expect(await store.reserve(freshProof())).toBe('reserved'), patiently);
    });
  },
);

describe.skipIf(program === undefined)('a Redis that cannot be used', () => {
  it('stops the start if it evicts keys, and refuses requests if it begins to', async () => {
    const server = await startRedis(program!, ['--maxmemory', '100mb', '--maxmemory-policy', 'volatile-lru']);
    const { client, close } = await redisClients.redis(server.url);
    try {
      await expect(redisReplay(client, options)).rejects.toThrow("Set 'maxmemory-policy noeviction'");
      await client.configSet('maxmemory-policy', 'noeviction');
      const store = await redisReplay(client, options);
      expect(await store.reserve(freshProof())).toBe('reserved');
      await client.configSet('maxmemory-policy', 'allkeys-lru');
      // The policy is read again after ten seconds; or now, if the last time is forgotten.
      await client.hDel('{countersign}:epoch', 'checked');
      const used = freshProof();
      await expect(store.reserve(used)).rejects.toThrow('evicts keys');
      await client.configSet('maxmemory-policy', 'noeviction');
      expect(await store.reserve({ ...used, created: used.created - 1 })).toBe('before_epoch');
    } finally {
      close();
      await server.stop();
    }
  });

  it('accepts any policy where memory has no limit', async () => {
    const server = await startRedis(program!, ['--maxmemory', '0', '--maxmemory-policy', 'allkeys-lru']);
    const { client, close } = await redisClients.redis(server.url);
    try {
      const store = await redisReplay(client, options);
      expect(await store.reserve(freshProof())).toBe('reserved');
    } finally {
      close();
      await server.stop();
    }
  });

  it('rejects when its memory is full, and forgets no nonce [A10]', async () => {
    const server = await startRedis(program!, ['--maxmemory', '100mb', '--maxmemory-policy', 'noeviction']);
    const { client, close } = await redisClients.redis(server.url);
    try {
      const store = await redisReplay(client, options);
      const used = freshProof();
      expect(await store.reserve(used)).toBe('reserved');
      await client.configSet('maxmemory', '1');
      await expect(store.reserve(freshProof())).rejects.toThrow('OOM');
      await client.configSet('maxmemory', '100mb');
      expect(await store.reserve(used)).toBe('replayed');
      expect(await store.reserve(freshProof())).toBe('reserved');
    } finally {
      close();
      await server.stop();
    }
  });

  it('works where CONFIG is forbidden, and says which permissions a user lacks', async () => {
    const server = await startRedis(program!);
    const { client, close } = await redisClients.redis(server.url);
    try {
      await client.sendCommand(['ACL', 'SETUSER', 'narrow', 'on', '>secret', '~*', '&*', '+@all', '-config', '-info']);
      const url = server.url.replace('//', '//narrow:secret@');
      const narrow = await redisClients.redis(url);
      const refused = await redisReplay(narrow.client, options).then(
        () => '',
        (error: unknown) => String(error),
      );
      expect(refused).toContain('ACL SETUSER');
      narrow.close();
      const hint = /ACL SETUSER <user> (.*)$/m.exec(refused)?.[1] ?? '';
      await client.sendCommand(['ACL', 'SETUSER', 'least', 'on', '>secret', ...hint.trim().split(' ')]);
      const least = await redisClients.redis(server.url.replace('//', '//least:secret@'));
      const store = await redisReplay(least.client, options);
      expect(await store.reserve(freshProof())).toBe('reserved');
      expect(await beginRedisAgents(least.client)).toBe(true);
      expect(await redisAgents(least.client).statusOf('nobody')).toBe('unknown');
      expect(await beginRedisRevocations(least.client)).toBe(true);
      const revocations = await redisRevocations(least.client);
      await revocations.revoke({ agent: 'agent-a' });
      expect(revocations.findRevoked([{ agent: 'agent-a' }], Date.now() / 1000)).toEqual({ agent: 'agent-a' });
      await revocations.close();
      least.close();
    } finally {
      close();
      await server.stop();
    }
  });

  it('rejects on a replica, which refuses old signatures once it is promoted', async () => {
    const [master, replica] = [await startRedis(program!, soon), await startRedis(program!, soon)];
    const onMaster = await redisClients.redis(master.url);
    const onReplica = await redisClients.redis(replica.url);
    try {
      const first = await redisReplay(onMaster.client, options);
      await onReplica.client.sendCommand(['REPLICAOF', '127.0.0.1', `${master.port}`]);
      // Its first replica begins a new history of the data.
      const used = await vi.waitFor(async () => {
        await caughtUp(onReplica.client);
        const proof = freshProof();
        expect(await first.reserve(proof)).toBe('reserved');
        return proof;
      }, patiently);
      await vi.waitFor(async () => {
        expect(await onReplica.client.zScore('{countersign}:used:key', used.nonce)).not.toBeNull();
      }, patiently);
      await expect(redisReplay(onReplica.client, options)).rejects.toThrow('READONLY');
      await onReplica.client.sendCommand(['REPLICAOF', 'NO', 'ONE']);
      const second = await redisReplay(onReplica.client, options);
      expect(await second.reserve(used)).toBe('replayed');
      expect(await second.reserve(freshProof({ created: used.created }))).toBe('before_epoch');
      expect(await second.reserve(freshProof())).toBe('reserved');
    } finally {
      onMaster.close();
      onReplica.close();
      await master.stop();
      await replica.stop();
    }
  });

  it('refuses what was signed before it was demoted and promoted again, with the data of a replica that lagged', async () => {
    const [one, other] = [await startRedis(program!, soon), await startRedis(program!, soon)];
    const onOne = await redisClients.redis(one.url);
    const onOther = await redisClients.redis(other.url);
    try {
      const store = await redisReplay(onOne.client, options);
      await onOther.client.sendCommand(['REPLICAOF', '127.0.0.1', `${one.port}`]);
      await vi.waitFor(async () => {
        await caughtUp(onOther.client);
        expect(await store.reserve(freshProof())).toBe('reserved');
      }, patiently);
      await vi.waitFor(async () => {
        const epoch = await onOne.client.hGetAll('{countersign}:epoch');
        expect(await onOther.client.hGetAll('{countersign}:epoch')).toEqual(epoch);
      }, patiently);
      await onOther.client.sendCommand(['REPLICAOF', 'NO', 'ONE']);
      const used = freshProof();
      expect(await store.reserve(used)).toBe('reserved');
      await onOne.client.sendCommand(['REPLICAOF', '127.0.0.1', `${other.port}`]);
      await vi.waitFor(async () => await caughtUp(onOne.client), patiently);
      expect(await onOne.client.zScore('{countersign}:used:key', used.nonce)).toBeNull();
      await onOne.client.sendCommand(['REPLICAOF', 'NO', 'ONE']);
      expect(await store.reserve({ ...used, now: Date.now() / 1000 })).toBe('before_epoch');
      await vi.waitFor(async () => expect(await store.reserve(freshProof())).toBe('reserved'), patiently);
    } finally {
      onOne.close();
      onOther.close();
      await one.stop();
      await other.stop();
    }
  });
});

/** Rejects until this replica has the data of its master. */
async function caughtUp(replica: { info(section: string): Promise<string> }): Promise<void> {
  expect(await replica.info('replication')).toContain('master_link_status:up');
}

describe('redisReplay', () => {
  it.each([
    ['a client of redis that queues', () => createClient(), 'disableOfflineQueue: true'],
    ['a client of ioredis that sends again', () => new Redis({ lazyConnect: true }), 'maxRetriesPerRequest: 0'],
    [
      'a client of ioredis with a prefix',
      () => new Redis({ lazyConnect: true, keyPrefix: 'shop:' }),
      "option 'prefix'",
    ],
    ['no client', () => ({}) as never, "pass a client of 'redis' or 'ioredis'"],
  ])('throws a ConfigError for %s', async (_, make, hint) => {
    const client: RedisClient = make();
    await expect(redisReplay(client)).rejects.toThrow(hint);
    await expect(redisReplay(client)).rejects.toMatchObject({ name: 'ConfigError' });
  });

  it('throws a ConfigError for a wrong option, and for a server that cannot be reached', async () => {
    const client = createClient({ disableOfflineQueue: true });
    await expect(redisReplay(client, { prefix: 'a b' })).rejects.toThrow("'prefix'");
    await expect(redisReplay(client, { clockSkew: 1 } as never)).rejects.toThrow('clockSkew');
    await expect(redisReplay(client, { maxEntriesPerAgent: 0 })).rejects.toThrow("'maxEntriesPerAgent'");
    await expect(redisReplay(client)).rejects.toThrow('Redis cannot be used');
  });
});

async function runOnServer(
  server: RedisServer,
  run: (client: Awaited<ReturnType<typeof redisClients.redis>>['client']) => Promise<unknown>,
): Promise<void> {
  const { client, close } = await redisClients.redis(server.url);
  try {
    await run(client);
  } finally {
    close();
  }
}
