import { afterAll, beforeAll, describe } from 'vitest';
import { findRedis, type RedisServer, startRedis } from '../../../test/support/redis.js';
import { type OpenClient, redisClients } from '../../../test/support/redis-clients.js';
import { itIsARegistry } from '../../../test/support/shared-agents.js';
import { redisAgents, type RedisClient } from '../src/index.js';

const program = findRedis();

describe.skipIf(program === undefined).each(['redis', 'ioredis'] as const)(
  'redisAgents with a client of %s',
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

    itIsARegistry(async () => redisAgents(opened.client));
  },
);
