import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { patiently } from '../../../test/support/patiently.js';
import { findRedis, type RedisServer, startRedis } from '../../../test/support/redis.js';
import { redisClients } from '../../../test/support/redis-clients.js';
import { freshProof } from '../../../test/support/shared-replay.js';
import { freshAgent } from '../../../test/support/shared-revocations.js';
import { type SilentProxy, startSilentProxy } from '../../../test/support/silent-proxy.js';
import {
  beginRedisAgents,
  beginRedisRevocations,
  redisAgents,
  type RedisClient,
  redisReplay,
  redisRevocations,
} from '../src/index.js';

const program = findRedis();

describe.skipIf(program === undefined).each(['redis', 'ioredis'] as const)(
  'a connection to Redis that goes silent, with a client of %s',
  (name) => {
    let server: RedisServer;
    let proxy: SilentProxy;

    beforeAll(async () => {
      server = await startRedis(program!);
      proxy = await startSilentProxy(server.port);
    });
    afterAll(async () => {
      await proxy.close();
      await server.stop();
    });

    it('is replaced within seconds, also if the next one is silent, until the application ends its client [A10]', async () => {
      const { client, close } = await redisClients[name](`redis://127.0.0.1:${proxy.port}`);
      const { replay, revocations, agents } = await storesOf(client);
      for (const next of [0, 1]) {
        proxy.fallSilent(next);
        await expect(replay.reserve(freshProof())).rejects.toThrow('did not answer within 0.5 s');
        await vi.waitFor(async () => {
          const answers = [
            await replay.reserve(freshProof()),
            revocations.findRevoked([freshAgent()], Date.now() / 1000),
            await agents.statusOf('nobody'),
          ];
          expect(answers).toEqual(['reserved', undefined, 'unknown']);
        }, patiently);
      }
      const agent = freshAgent();
      await revocations.revoke(agent);
      expect(revocations.findRevoked([agent], Date.now() / 1000)).toBe(agent);
      await revocations.close();
      close();
      await vi.waitFor(() => expect(proxy.open()).toBe(0), patiently);
      await expect(replay.reserve(freshProof())).rejects.toThrow();
      const opened = proxy.opened();
      expect(await agents.statusOf('nobody')).toBe('unavailable');
      expect(proxy.opened()).toBe(opened);
    });

    it('is replaced again after the application ended its client and connected it anew', async () => {
      const { client, close } = await redisClients[name](`redis://127.0.0.1:${proxy.port}`);
      await beginRedisAgents(client);
      const agents = redisAgents(client);
      for (const _round of [0, 1]) {
        proxy.fallSilent(0);
        await vi.waitFor(async () => expect(await agents.statusOf('nobody')).toBe('unknown'), patiently);
        close();
        await vi.waitFor(async () => expect(await agents.statusOf('nobody')).toBe('unavailable'), patiently);
        await client.connect();
        await vi.waitFor(async () => expect(await agents.statusOf('nobody')).toBe('unknown'), patiently);
      }
      close();
      await vi.waitFor(() => expect(proxy.open()).toBe(0), patiently);
    });
  },
);

async function storesOf(client: RedisClient) {
  await beginRedisRevocations(client);
  await beginRedisAgents(client);
  return {
    replay: await redisReplay(client, { clockSkewSeconds: 0, timeoutSeconds: 0.5 }),
    revocations: await redisRevocations(client, { onTrouble: () => {} }),
    agents: redisAgents(client),
  };
}
