import { Cluster } from 'ioredis';
import { createClient, createCluster } from 'redis';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { type DelayedStores, itMakesNoChangeLate } from '../../../test/support/late-changes.js';
import { freePort } from '../../../test/support/free-port.js';
import { patiently } from '../../../test/support/patiently.js';
import { findRedis, type RedisServer, startRedis } from '../../../test/support/redis.js';
import { type OpenClient, redisClients } from '../../../test/support/redis-clients.js';
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

    it('is replaced within seconds, until the application ends its client [A10]', async () => {
      const { client, close } = await redisClients[name](`redis://127.0.0.1:${proxy.port}`);
      const { replay, revocations, agents } = await storesOf(client);
      proxy.fallSilent();
      await expect(replay.reserve(freshProof())).rejects.toThrow('did not answer within 0.5 s');
      await vi.waitFor(async () => {
        const answers = [
          await replay.reserve(freshProof()),
          revocations.findRevoked([freshAgent()], Date.now() / 1000),
          await agents.statusOf('nobody'),
        ];
        expect(answers).toEqual(['reserved', undefined, 'unknown']);
      }, patiently);
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

    describe('holds a change', () => {
      let opened: OpenClient<RedisClient & { connect(): Promise<unknown> }>;
      let started: OpenClient<RedisClient>;
      let stores: DelayedStores;

      beforeEach(async () => {
        opened = await redisClients[name](`redis://127.0.0.1:${proxy.port}`);
        const { client } = opened;
        const { revocations, agents } = await storesOf(client);
        started = await redisClients[name](server.url);
        const openRevocations = async () => await redisRevocations(started.client);
        stores = { proxy, agents, revocations, openRevocations };
      });
      afterEach(async () => {
        await stores.revocations.close();
        opened.close();
        started.close();
        await vi.waitFor(() => expect(proxy.open()).toBe(0), patiently);
      });

      itMakesNoChangeLate(() => stores, {
        'the connection was replaced': async () => {
          const before = proxy.opened();
          await vi.waitFor(() => expect(proxy.opened()).toBeGreaterThan(before), patiently);
        },
        'the application has connected its client anew': async () => {
          opened.close();
          await vi.waitFor(async () => await opened.client.connect(), patiently);
        },
      });
    });
  },
);

describe.skipIf(program === undefined).each(['redis', 'ioredis'] as const)(
  'a connection to a cluster that goes silent, with a client of %s',
  (name) => {
    let server: RedisServer;
    let proxy: SilentProxy;

    beforeAll(async () => {
      server = await startRedis(program!, ['--cluster-enabled', 'yes', '--cluster-port', `${await freePort()}`]);
      proxy = await startSilentProxy(server.port);
      const direct = await createClient({ url: server.url }).connect();
      await direct.sendCommand(['CONFIG', 'SET', 'cluster-announce-ip', '127.0.0.1']);
      await direct.sendCommand(['CONFIG', 'SET', 'cluster-announce-port', `${proxy.port}`]);
      await direct.sendCommand(['CLUSTER', 'ADDSLOTSRANGE', '0', '16383']);
      const info = async () => await direct.sendCommand(['CLUSTER', 'INFO']);
      await vi.waitFor(async () => expect(await info()).toContain('cluster_state:ok'), patiently);
      direct.destroy();
    });
    afterAll(async () => {
      await proxy.close();
      await server.stop();
    });

    it('is replaced until the application ends its client', async () => {
      const { client, close } = await clusterOf[name](proxy.port);
      await beginRedisAgents(client);
      const agents = redisAgents(client);
      proxy.fallSilent();
      await vi.waitFor(async () => expect(await agents.statusOf('nobody')).toBe('unknown'), patiently);
      close();
      await vi.waitFor(() => expect(proxy.open()).toBe(0), patiently);
      expect(await agents.statusOf('nobody')).toBe('unavailable');
    });
  },
);

const clusterOf = {
  async redis(port: number): Promise<OpenClient<RedisClient>> {
    const rootNodes = [{ url: `redis://127.0.0.1:${port}` }];
    const client = createCluster({ rootNodes, defaults: { disableOfflineQueue: true } });
    client.on('error', () => {});
    await client.connect();
    return { client, close: () => client.destroy() };
  },
  async ioredis(port: number): Promise<OpenClient<RedisClient>> {
    const client = new Cluster([{ host: '127.0.0.1', port }], {
      enableOfflineQueue: false,
      lazyConnect: true,
      redisOptions: { maxRetriesPerRequest: 0, autoResendUnfulfilledCommands: false },
    });
    client.on('error', () => {});
    await client.connect();
    return { client, close: () => client.disconnect() };
  },
};

async function storesOf(client: RedisClient) {
  await beginRedisRevocations(client);
  await beginRedisAgents(client);
  return {
    replay: await redisReplay(client, { clockSkewSeconds: 0, timeoutSeconds: 0.5 }),
    revocations: await redisRevocations(client, { onTrouble: () => {} }),
    agents: redisAgents(client),
  };
}
