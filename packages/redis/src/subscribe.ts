import { withTimeout } from '@countersign/common';
import { isIoRedis, type RedisClient } from './client.js';

/** What both clients have, beside the methods of `RedisClient`; the wrapper of an application may lack it. */
interface Subscriber {
  duplicate?(...overrides: unknown[]): Subscriber;
  on(event: string, listener: (...given: unknown[]) => void): unknown;
  connect(): Promise<unknown>;
  subscribe(channel: string, listener?: () => void): Promise<unknown>;
  /** ioredis. */
  disconnect?(): unknown;
  /** redis. */
  destroy?(): unknown;
}

const patienceMilliseconds = 1000;

/** Subscribes with a connection of its own. Where this does not work, polling remains. */
export function subscribe(client: RedisClient, channel: string, listener: () => void): { close(): Promise<void> } {
  const subscriber = duplicateOf(client);
  if (subscriber === undefined) return { close: async () => {} };
  // The error of a lost connection would end the process; the client connects and subscribes again by itself.
  subscriber.on('error', () => {});
  const isFromIoRedis = isIoRedis(client);
  if (isFromIoRedis) subscriber.on('message', listener);
  const subscribed = subscriber
    .connect()
    .then(() => subscriber.subscribe(channel, isFromIoRedis ? undefined : listener))
    .catch(() => undefined);
  return {
    async close() {
      // A client that is ended while it connects keeps the connection that it gets.
      await withTimeout(patienceMilliseconds, subscribed, () => undefined);
      try {
        if (isFromIoRedis) subscriber.disconnect?.();
        else subscriber.destroy?.();
      } catch {
        // It was not connected.
      }
    },
  };
}

function duplicateOf(client: RedisClient): Subscriber | undefined {
  const source = client as unknown as Subscriber;
  if (typeof source.duplicate !== 'function') return undefined;
  if (!isIoRedis(client)) return source.duplicate();
  const options = { lazyConnect: true, enableOfflineQueue: true, autoResubscribe: true };
  const isCluster = 'isCluster' in client && client.isCluster === true;
  return isCluster ? source.duplicate([], options) : source.duplicate(options);
}
