import { Redis } from 'ioredis';
import { createClient } from 'redis';

/** A client as the application would make it. */
export interface OpenClient<Client> {
  readonly client: Client;
  close(): void;
}

export async function nodeRedis(url: string): Promise<OpenClient<ReturnType<typeof createNodeRedis>>> {
  const client = createNodeRedis(url);
  // Without a listener, an outage ends the process.
  client.on('error', () => {});
  await client.connect();
  return { client, close: () => client.destroy() };
}

function createNodeRedis(url: string) {
  return createClient({
    url,
    disableOfflineQueue: true,
    socket: { connectTimeout: 1000, reconnectStrategy: () => 20 },
  });
}

export async function ioRedis(url: string): Promise<OpenClient<Redis>> {
  const client = new Redis(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    lazyConnect: true,
    retryStrategy: () => 20,
  });
  client.on('error', () => {});
  await client.connect();
  return { client, close: () => client.disconnect() };
}

export const redisClients = { redis: nodeRedis, ioredis: ioRedis } as const;
