import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { patiently } from '../../../test/support/patiently.js';
import { findRedis, type RedisServer, startRedis } from '../../../test/support/redis.js';
import { type OpenClient, redisClients } from '../../../test/support/redis-clients.js';
import {
  freshAgent,
  itIsAListOfRevocations,
  lossy,
  revokedIn,
  type WriteFate,
} from '../../../test/support/shared-revocations.js';
import { beginRedisRevocations, type RedisClient, redisRevocations } from '../src/index.js';

const program = findRedis();
const keys = ['revocations', 'revocation-versions', 'revocation-ends'].map((name) => `{countersign}:${name}`);
let backups = 0;

/** As an application may wrap its client. */
function losingClient(client: RedisClient, fate: () => WriteFate): RedisClient {
  const pass = async (given: readonly string[], send: () => Promise<unknown>) =>
    await (given.includes('back') ? lossy(fate(), send) : send());
  if ('evalsha' in client) {
    return {
      evalsha: (digest, count, ...given) => pass(given, () => client.evalsha(digest, count, ...given)),
      eval: client.eval.bind(client),
    };
  }
  return {
    evalSha: (digest, given) => pass(given.arguments, () => client.evalSha(digest, given)),
    eval: client.eval.bind(client),
  };
}

describe.skipIf(program === undefined).each(['redis', 'ioredis'] as const)(
  'redisRevocations with a client of %s',
  (name) => {
    let server: RedisServer;
    let opened: OpenClient<RedisClient>;

    beforeAll(async () => {
      server = await startRedis(program!, ['--appendonly', 'yes', '--appendfsync', 'always']);
      opened = await redisClients[name](server.url);
      await beginRedisRevocations(opened.client);
    });
    afterAll(async () => {
      opened.close();
      await server.stop();
    });

    itIsAListOfRevocations(() => ({
      async open(options) {
        return await redisRevocations(opened.client, options);
      },
      async openLosing(fate, options) {
        return await redisRevocations(losingClient(opened.client, fate), options);
      },
      async fill(added) {
        const { client, close } = await redisClients.redis(server.url);
        const held = Number(await client.zScore(keys[1]!, '!'));
        for (let from = 0; from < added.length; from += 1000) {
          const page = added.slice(from, from + 1000);
          await client
            .multi()
            .hSet(keys[0]!, Object.fromEntries(page.map((name) => [name, 'never'])))
            .zAdd(
              keys[1]!,
              page.map((value) => ({ score: held + 1, value })),
            )
            .exec();
        }
        await client.zIncrBy(keys[1]!, 1, '!');
        close();
      },
      async begin() {
        const { client, close } = await redisClients.redis(server.url);
        await client.flushAll();
        await beginRedisRevocations(client);
        close();
      },
      async empty() {
        const { client, close } = await redisClients.redis(server.url);
        await client.flushAll();
        close();
      },
      async backUp() {
        const { client, close } = await redisClients.redis(server.url);
        const backup = `backup-${backups++}`;
        for (const key of keys) await client.copy(key, `${key}-${backup}`);
        close();
        return async () => {
          const { client, close } = await redisClients.redis(server.url);
          const steps = client.multi().del([...keys]);
          for (const key of keys) steps.copy(`${key}-${backup}`, key);
          await steps.exec();
          close();
        };
      },
    }));

    it('reads many revocations, also of one write, at the start and while it runs', async () => {
      const { client, close } = await redisClients.redis(server.url);
      await client.flushAll();
      await beginRedisRevocations(opened.client);
      const running = await redisRevocations(opened.client);
      const many = Array.from({ length: 12_345 }, (_, number) => JSON.stringify(['delegation', `${number}`]));
      const steps = client.multi().zIncrBy(keys[1]!, 1, '!');
      for (const name of many) steps.hSet(keys[0]!, name, 'never').zAdd(keys[1]!, { score: 1, value: name });
      await steps.exec();
      const starting = await redisRevocations(opened.client);
      expect(starting.list()).toHaveLength(many.length);
      await vi.waitFor(() => expect(running.list()).toHaveLength(many.length), patiently);
      await Promise.all([running.close(), starting.close()]);
      await client.flushAll();
      close();
    });

    it('tells other processes faster than they poll', async () => {
      await beginRedisRevocations(opened.client);
      const [one, other] = [await redisRevocations(opened.client), await redisRevocations(opened.client)];
      try {
        // The first notice may come before the subscription.
        const times: number[] = [];
        for (let count = 0; count < 10; count++) {
          const agent = freshAgent();
          await one.revoke(agent);
          const began = performance.now();
          await vi.waitFor(() => expect(revokedIn(other, agent)).toBe(agent), patiently);
          times.push(performance.now() - began);
        }
        expect(Math.min(...times)).toBeLessThan(400);
      } finally {
        await Promise.all([one.close(), other.close()]);
      }
    });

    it('rejects when what it knows is too old, and recovers by itself with the server', async () => {
      const source = await redisRevocations(opened.client, { maxStaleSeconds: 1, onTrouble: () => {} });
      const agent = freshAgent();
      await source.revoke(agent);
      await server.kill('SIGKILL');
      expect(revokedIn(source, agent)).toBe(agent);
      await vi.waitFor(() => expect(() => revokedIn(source, agent)).toThrow('too old'), patiently);
      await server.start();
      await vi.waitFor(() => expect(revokedIn(source, agent)).toBe(agent), patiently);
      await source.close();
    });
  },
);

describe.skipIf(program === undefined)('beginRedisRevocations', () => {
  it('begins a list once, and changes none', async () => {
    const server = await startRedis(program!);
    const { client, close } = await redisClients.redis(server.url);
    try {
      await expect(redisRevocations(client)).rejects.toThrow('countersign revocations begin');
      expect(await beginRedisRevocations(client)).toBe(true);
      const source = await redisRevocations(client);
      const agent = freshAgent();
      await source.revoke(agent);
      expect(await beginRedisRevocations(client)).toBe(false);
      await source.close();
      const again = await redisRevocations(client);
      expect(revokedIn(again, agent)).toBe(agent);
      await again.close();
    } finally {
      close();
      await server.stop();
    }
  });
});
