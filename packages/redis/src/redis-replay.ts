import type { ReplayStore } from '@countersign/core';
import { type OneTimeOptions, readOneTimeOptions, replayStoreIn } from '@countersign/stores';
import type { RedisClient } from './client.js';
import { readPrefix } from './prefix.js';
import { openReservations } from './reservations.js';

export interface RedisReplayOptions extends OneTimeOptions {
  /** What the names of keys begin with. Processes that share an origin share it. Default `countersign`. */
  readonly prefix?: string;
}

/**
 * Remembers used signatures in Redis 6.2 or newer, or Valkey, for all processes. A Redis that was restarted, emptied or
 * replaced by its replica has forgotten signatures: it refuses what was signed before (503 `replay_unknown`), and a client
 * signs anew. So nothing need be saved to disk. On a Redis that has just begun, the first start waits `clockSkewSeconds`.
 *
 * @throws ConfigError if the client sends commands again, if Redis cannot be reached or used, or if it evicts keys.
 *
 * @example
 * const client = createClient({ url, disableOfflineQueue: true });
 * client.on('error', console.warn); // without a listener, an outage ends the process
 * await client.connect();
 * const guard = await createGuard({ …, replay: await redisReplay(client) });
 */
export async function redisReplay(client: RedisClient, options: RedisReplayOptions = {}): Promise<ReplayStore> {
  const owner = 'redisReplay';
  const { timeoutSeconds, ...limits } = readOneTimeOptions(owner, options, ['prefix']);
  const prefix = readPrefix(owner, options.prefix);
  return await replayStoreIn(await openReservations(owner, client, { timeoutSeconds, prefix }), limits);
}
