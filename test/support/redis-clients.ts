import { Redis } from 'ioredis';
import { createClient } from 'redis';

/** A client as the application would make it. */
export interface OpenClient<Client> {
  readonly client: Client;
  close(): void;
}

/** `retries`: whether it connects again after it has lost its connection. */
export async function nodeRedis(url: string, retries = true): Promise<OpenClient<ReturnType<typeof createNodeRedis>>> {
  const client = createNodeRedis(url, retries);
  // Without a listener, an outage ends the process.
  client.on('error', () => {});
  await client.connect();
  return { client, close: () => client.destroy() };
}

function createNodeRedis(url: string, retries: boolean) {
  return createClient({
    url,
    disableOfflineQueue: true,
    socket: { connectTimeout: 1000, reconnectStrategy: retries ? () => 20 : false },
  });
}

export async function ioRedis(url: string, retries = true): Promise<OpenClient<Redis>> {
  const client = new Redis(url, {
    enableOfflineQueue: false,
    maxRetriesPerRequest: 0,
    autoResendUnfulfilledCommands: false,
    lazyConnect: true,
    retryStrategy: () => (retries ? 20 : null),
  });
  client.on('error', () => {});
  await client.connect();
  return { client, close: () => client.disconnect() };
}

export const redisClients = { redis: nodeRedis, ioredis: ioRedis } as const;
