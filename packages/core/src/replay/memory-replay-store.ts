import { ConfigError, checkOptionNames } from '../config-error.js';
import { MinHeap } from './min-heap.js';
import type { ReplayResult, ReplayStore } from './store.js';

export interface MemoryReplayStoreOptions {
  /** Most signatures remembered at once; beyond it `reserve` answers `full`. Default 1 000 000. */
  readonly maxEntries?: number;
  /**
   * Most signatures of one key remembered at once; beyond it `reserve` answers `full` for that key alone, so that no
   * agent can use up the room of all. Default a quarter of `maxEntries`, rounded up.
   */
  readonly maxEntriesPerKey?: number;
}

/** Entries forgotten per call at most. More than one, so that the store empties faster than it fills. */
const sweepBudget = 64;

/** A replay store that answers at once, because it lives in this process. */
export interface MemoryReplayStore extends ReplayStore {
  reserve(keyId: string, nonce: string, until: number, now: number): ReplayResult;
}

/**
 * Remembers used signatures in memory: right for one process, wrong for several that share an origin, each of which
 * would accept the same signature once. Bounded, and never makes room by forgetting a signature that still counts.
 *
 * @throws ConfigError when an option is unknown or not a positive whole number.
 *
 * @example
 * const store = memoryReplayStore();
 * store.reserve(keyId, nonce, now + 65, now); // 'reserved'
 * store.reserve(keyId, nonce, now + 65, now); // 'replayed'
 */
export function memoryReplayStore(options: MemoryReplayStoreOptions = {}): MemoryReplayStore {
  const { maxEntries, maxEntriesPerKey } = readOptions(options);

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
    reserve(keyId, nonce, until, now) {
      if (!Number.isFinite(until) || !Number.isFinite(now)) {
        throw new TypeError('memoryReplayStore: until and now must be unix seconds.');
      }
      const second = Math.floor(now);
      sweep(second);
      const entry = entryOf(keyId, nonce);
      const known = lastSeconds.get(entry);
      if (known !== undefined && known >= second) return 'replayed';
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

/** Injective: the length says where the key id ends, so no choice of nonce can imitate another pair. */
function entryOf(keyId: string, nonce: string): string {
  return `${keyId.length}:${keyId}${nonce}`;
}

function keyIdOf(entry: string): string {
  const start = entry.indexOf(':') + 1;
  return entry.slice(start, start + Number(entry.slice(0, start - 1)));
}

function readOptions(options: MemoryReplayStoreOptions): Required<MemoryReplayStoreOptions> {
  checkOptionNames('memoryReplayStore', options, ['maxEntries', 'maxEntriesPerKey']);
  const { maxEntries = 1_000_000 } = options;
  const { maxEntriesPerKey = Math.ceil(maxEntries / 4) } = options;
  for (const [name, value] of Object.entries({ maxEntries, maxEntriesPerKey })) {
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new ConfigError(`memoryReplayStore: '${name}' must be a positive whole number.`);
    }
  }
  return { maxEntries, maxEntriesPerKey };
}
