import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keyNamed } from '../../../test/support/keys.js';
import { findRedis, type RedisServer, startRedis } from '../../../test/support/redis.js';
import { type OpenClient, redisClients } from '../../../test/support/redis-clients.js';
import { itIsARegistry } from '../../../test/support/shared-agents.js';
import { beginRedisAgents, redisAgents, type RedisClient } from '../src/index.js';

const program = findRedis();

describe.skipIf(program === undefined).each(['redis', 'ioredis'] as const)(
  'redisAgents with a client of %s',
  (name) => {
    let server: RedisServer;
    let opened: OpenClient<RedisClient>;

    beforeAll(async () => {
      server = await startRedis(program!);
      opened = await redisClients[name](server.url);
      await beginRedisAgents(opened.client);
    });
    afterAll(async () => {
      opened.close();
      await server.stop();
    });

    itIsARegistry({
      begin: async () => await beginRedisAgents(opened.client),
      open: async () => redisAgents(opened.client),
      losses: {
        FLUSHALL: async () => await send(server, ['FLUSHALL']),
        DEL: async () => await send(server, ['DEL', '{countersign}:agents']),
      },
    });

    it('is an outage when a key is there without its agent [A11]', async () => {
      const agents = redisAgents(opened.client);
      const { publicBase64: publicKey, thumbprint } = keyNamed('shared-3');
      await agents.put({ id: 'agent-8', publicKey, status: 'suspended' });
      await send(server, ['HDEL', '{countersign}:agents', 'agent:agent-8']);
      expect(await agents.findByThumbprint(thumbprint)).toMatchObject({ kind: 'unavailable' });
      await agents.remove('agent-8');
    });

    it('takes no agent while the server evicts keys, and loses all at once [A11]', async () => {
      const agents = redisAgents(opened.client);
      const agent = { id: 'agent-9', publicKey: keyNamed('shared-4').publicBase64, status: 'suspended' } as const;
      await agents.put(agent);
      await send(server, ['CONFIG', 'SET', 'maxmemory-policy', 'allkeys-random', 'maxmemory', '1']);
      const advice = "Set 'maxmemory-policy noeviction'";
      await expect(agents.put(agent)).rejects.toThrow(advice);
      await expect(beginRedisAgents(opened.client)).rejects.toThrow(advice);
      expect(await agents.statusOf('agent-9')).toBe('unavailable');
      await send(server, ['CONFIG', 'SET', 'maxmemory-policy', 'noeviction', 'maxmemory', '0']);
      await beginRedisAgents(opened.client);
    });
  },
);

async function send({ url }: RedisServer, command: readonly string[]): Promise<void> {
  const client = await createClient({ url }).connect();
  await client.sendCommand([...command]);
  client.destroy();
}
