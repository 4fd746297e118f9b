import { withTimeout } from '@countersign/common';
import { isIoRedis, type RedisClient } from './client.js';
import { duplicateOf, endDuplicate } from './duplicate.js';

const patienceMilliseconds = 1000;

/** Subscribes with a connection of its own. Where this does not work, polling remains. */
export function subscribe(client: RedisClient, channel: string, listener: () => void): { close(): Promise<void> } {
  const subscriber = duplicateOf(client, { enableOfflineQueue: true, autoResubscribe: true });
  if (subscriber === undefined) return { close: async () => {} };
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
      endDuplicate(subscriber);
    },
  };
}
