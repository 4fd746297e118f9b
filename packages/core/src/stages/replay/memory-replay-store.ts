import { randomFillSync } from 'node:crypto';
import { checkOptionNames, integerOption, readClock } from '@countersign/common';
import { createChaskey, type KeyedHash } from './chaskey.js';
import { LiveEntries } from './live-entries.js';
import { maxTableEntries, NonceTable } from './nonce-table.js';
import type { OneTimeProof, ReplayResult, ReplayStore } from './store.js';

export interface MemoryReplayStoreOptions {
  /** Most signatures remembered at once; beyond it `reserve` answers `full`. Default 1 000 000. */
  readonly maxEntries?: number;
  /**
   * Most signatures of one agent remembered at once, by all its keys; beyond it `reserve` answers `full` for that agent
   * alone, so that no agent can use up the room of all. Default a quarter of `maxEntries`, rounded up.
   */
  readonly maxEntriesPerAgent?: number;
  /** Milliseconds since the epoch; the same as that of the guard. Default `Date.now`. */
  readonly clock?: () => number;
}

/** A replay store that answers at once, because it lives in this process. */
export interface MemoryReplayStore extends ReplayStore {
  reserve(proof: OneTimeProof): ReplayResult;
}

/**
 * Remembers used signatures in memory: right for one process, wrong for several that share an origin, each of which
 * would accept the same signature once. Bounded, and never makes room by forgetting a signature that still counts. It
 * takes about 40 bytes for each (1 000 000: 40 MiB), grows as they come, and keeps what it has grown to.
 *
 * A restart empties it, so it answers `before_epoch` for what the process before this one may have served: signatures
 * created up to the second in which this process began, or before the second in which the store was made. Hand a guard
 * that replaces another in the same process the same store: a new one does not know what was served in that second.
 *
 * @throws ConfigError when an option is unknown or wrong.
 *
 * @example
 * const store = memoryReplayStore();
 * const proof = { agent, keyId, nonce, created: now, until: now + 65, now };
 * store.reserve(proof); // 'reserved'
 * store.reserve(proof); // 'replayed'
 */
export function memoryReplayStore(options: MemoryReplayStoreOptions = {}): MemoryReplayStore {
  const [k0 = 0, k1 = 0, k2 = 0, k3 = 0] = randomFillSync(new Int32Array(4));
  return memoryReplayStoreWith(createChaskey([k0, k1, k2, k3]), options);
}

/** `memoryReplayStore` with a hash of choice. Where two proofs have one digest, the second is refused as `replayed`. */
export function memoryReplayStoreWith(hash: KeyedHash, options: MemoryReplayStoreOptions): MemoryReplayStore {
  const { maxEntries, maxEntriesPerAgent, clock } = readOptions(options);
  const unseenUpTo = lastUnseenSecond(clock() / 1000);
  const live = new LiveEntries();
  const table = new NonceTable(maxEntries);
  const entry = new Int32Array(4);

  return {
    reserve({ agent, keyId, nonce, created, until, now }) {
      if (!(Number.isFinite(created) && isUnixSecond(until) && isUnixSecond(now))) {
        throw new TypeError('memoryReplayStore: created, until and now must be unix seconds.');
      }
      const second = Math.floor(now);
      live.forget(second);
      // Without the agent: a key may come to another one while a nonce of it counts.
      hash(keyId.length, keyId + nonce, entry);
      if (table.has(entry, live.forgottenUpTo)) return 'replayed';
      if (Math.floor(created) <= unseenUpTo) return 'before_epoch';
      // Remembered a moment too long at most: a moment too short would admit a replay.
      const lastSecond = Math.max(Math.ceil(until), second);
      // The clock was set back to a time that is forgotten: whether this was used then is unknown.
      if (lastSecond <= live.forgottenUpTo) return 'full';
      const owner = live.owner(agent);
      if (live.count >= maxEntries || owner.held >= maxEntriesPerAgent) return 'full';
      entry[3] = lastSecond;
      if (!table.add(entry, live.forgottenUpTo)) return 'full';
      live.add(owner, lastSecond);
      return 'reserved';
    },
  };
}

/** As far as an unsigned word can count: to the year 2106. */
function isUnixSecond(value: number): boolean {
  return value >= 1 && value <= 0xffff_ffff;
}

/**
 * The last second (unix) of which a store before this one may have seen signatures. `created` has no fractions: of the
 * second in which this process began, some may be of the process before it, which had ended by then. A store made later
 * in the same process trusts the second in which it is made, so that a client need not wait for the next one.
 */
function lastUnseenSecond(now: number): number {
  return Math.max(Math.floor(now - process.uptime()), Math.floor(now) - 1);
}

function readOptions(options: MemoryReplayStoreOptions): Required<MemoryReplayStoreOptions> {
  checkOptionNames('memoryReplayStore', options, ['maxEntries', 'maxEntriesPerAgent', 'clock']);
  const { maxEntries = 1_000_000 } = options;
  integerOption('memoryReplayStore', 'maxEntries', maxEntries, 1, maxTableEntries);
  const { maxEntriesPerAgent = Math.ceil(maxEntries / 4) } = options;
  integerOption('memoryReplayStore', 'maxEntriesPerAgent', maxEntriesPerAgent, 1, maxTableEntries);
  return { maxEntries, maxEntriesPerAgent, clock: readClock('memoryReplayStore', options.clock) };
}
