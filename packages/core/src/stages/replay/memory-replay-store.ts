import { checkOptionNames, ConfigError, readClock } from '@countersign/common';
import { MinHeap } from './min-heap.js';
import type { OneTimeProof, ReplayResult, ReplayStore } from './store.js';

export interface MemoryReplayStoreOptions {
  /** Most signatures remembered at once; beyond it `reserve` answers `full`. Default 1 000 000. */
  readonly maxEntries?: number;
  /**
   * Most signatures of one key remembered at once; beyond it `reserve` answers `full` for that key alone, so that no
   * agent can use up the room of all. Default a quarter of `maxEntries`, rounded up.
   */
  readonly maxEntriesPerKey?: number;
  /** Milliseconds since the epoch; the same as that of the guard. Default `Date.now`. */
  readonly clock?: () => number;
}

/** Entries forgotten per call at most. More than one, so that the store empties faster than it fills. */
const sweepBudget = 64;

/** A replay store that answers at once, because it lives in this process. */
export interface MemoryReplayStore extends ReplayStore {
  reserve(proof: OneTimeProof): ReplayResult;
}

/**
 * Remembers used signatures in memory: right for one process, wrong for several that share an origin, each of which
 * would accept the same signature once. Bounded, and never makes room by forgetting a signature that still counts.
 *
 * A restart empties it, so it answers `before_epoch` for what the process before this one may have served: signatures
 * created up to the second in which this process began, or before the second in which the store was made.
 *
 * @throws ConfigError when an option is unknown or wrong.
 *
 * @example
 * const store = memoryReplayStore();
 * const proof = { keyId, nonce, created: now, until: now + 65, now };
 * store.reserve(proof); // 'reserved'
 * store.reserve(proof); // 'replayed'
 */
export function memoryReplayStore(options: MemoryReplayStoreOptions = {}): MemoryReplayStore {
  const { maxEntries, maxEntriesPerKey, clock } = readOptions(options);
  const unseenUpTo = lastUnseenSecond(clock() / 1000);

  /** The last second in which each entry counts. */
  const lastSeconds = new Map<string, number>();
  /** The same entries by that second, so that expired ones are found without a timer. */
  const bySecond = new Map<number, string[]>();
  const seconds = new MinHeap();
  /** How many of them each key holds. */
  const held = new Map<string, number>();
  /** The latest second that a forgotten entry counted in: later than now only if the clock was set back. */
  let forgottenUpTo = Number.NEGATIVE_INFINITY;

  function forget(entry: string): void {
    lastSeconds.delete(entry);
    const keyId = keyIdOf(entry);
    const left = (held.get(keyId) ?? 0) - 1;
    if (left > 0) held.set(keyId, left);
    else held.delete(keyId);
  }

  function remember(entry: string, lastSecond: number): void {
    lastSeconds.set(entry, lastSecond);
    const entries = bySecond.get(lastSecond);
    if (entries === undefined) {
      bySecond.set(lastSecond, [entry]);
      seconds.add(lastSecond);
    } else {
      entries.push(entry);
    }
  }

  /** Forgets some expired entries: a few per call, so that no request pays for all of a burst before it. */
  function sweep(second: number): void {
    let budget = sweepBudget;
    for (let lastSecond = seconds.least; lastSecond !== undefined && lastSecond < second; lastSecond = seconds.least) {
      forgottenUpTo = Math.max(forgottenUpTo, lastSecond);
      const entries = bySecond.get(lastSecond) ?? [];
      for (let entry = entries.pop(); entry !== undefined; entry = entries.pop()) {
        // It may have been reserved anew since.
        if (lastSeconds.get(entry) === lastSecond) forget(entry);
        if (--budget === 0) return;
      }
      bySecond.delete(lastSecond);
      seconds.removeLeast();
    }
  }

  return {
    reserve({ keyId, nonce, created, until, now }) {
      if (![created, until, now].every(Number.isFinite)) {
        throw new TypeError('memoryReplayStore: created, until and now must be unix seconds.');
      }
      const second = Math.floor(now);
      sweep(second);
      const entry = entryOf(keyId, nonce);
      const known = lastSeconds.get(entry);
      if (known !== undefined && known >= second) return 'replayed';
      if (Math.floor(created) <= unseenUpTo) return 'before_epoch';
      // Rounded up: remembering a moment too long is harmless, a moment too short is a replay.
      const lastSecond = Math.ceil(until);
      // The clock was set back behind what has been forgotten: whether this was used before can no longer be told.
      if (lastSecond <= forgottenUpTo) return 'full';
      const heldByKey = held.get(keyId) ?? 0;
      if (lastSeconds.size >= maxEntries || heldByKey >= maxEntriesPerKey) return 'full';
      // An entry that has expired, and is not swept up yet, is counted already.
      if (known === undefined) held.set(keyId, heldByKey + 1);
      remember(entry, lastSecond);
      return 'reserved';
    },
  };
}

/**
 * The last second (unix) of which a store before this one may have seen signatures. `created` has no fractions: of the
 * second in which this process began, some may be of the process before it, which had ended by then. A store made later
 * in the same process trusts the second in which it is made, so that a client need not wait for the next one.
 */
function lastUnseenSecond(now: number): number {
  return Math.max(Math.floor(now - process.uptime()), Math.floor(now) - 1);
}

/** Injective: the length says where the key id ends, so no choice of nonce can imitate another pair. */
function entryOf(keyId: string, nonce: string): string {
  return `${keyId.length}:${keyId}${nonce}`;
}

function keyIdOf(entry: string): string {
  const start = entry.indexOf(':') + 1;
  return entry.slice(start, start + Number(entry.slice(0, start - 1)));
}

function readOptions(options: MemoryReplayStoreOptions): Required<MemoryReplayStoreOptions> {
  checkOptionNames('memoryReplayStore', options, ['maxEntries', 'maxEntriesPerKey', 'clock']);
  const { maxEntries = 1_000_000 } = options;
  const { maxEntriesPerKey = Math.ceil(maxEntries / 4) } = options;
  for (const [name, value] of Object.entries({ maxEntries, maxEntriesPerKey })) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new ConfigError(`memoryReplayStore: '${name}' must be a positive whole number.`);
    }
  }
  return { maxEntries, maxEntriesPerKey, clock: readClock('memoryReplayStore', options.clock) };
}
