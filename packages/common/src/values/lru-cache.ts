interface Entry<T> {
  readonly value: T;
  bytes: number;
  /** Whether it was asked for since it was set, or last spared. */
  used: boolean;
}

/** Most entries that are spared at a time, so that no call takes long. */
const mostSpared = 8;

/**
 * A map bounded in entries and, if their sizes are given, in bytes. It evicts the oldest entry that was not asked for
 * lately (second chance): to find an entry costs one look-up, where an exact order of use would cost three operations.
 */
export class LruCache<T> {
  readonly #entries = new Map<string, Entry<T>>();
  readonly #most: { readonly entries: number; readonly bytes: number };
  #bytes = 0;

  constructor(maxEntries: number, maxBytes: number = Infinity) {
    this.#most = { entries: maxEntries, bytes: maxBytes };
  }

  get(key: string): T | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    entry.used = true;
    return entry.value;
  }

  set(key: string, value: T, bytes = 0): void {
    this.delete(key);
    this.#makeRoom(1, bytes);
    if (this.#most.entries < 1 || bytes > this.#most.bytes) return;
    this.#entries.set(key, { value, bytes, used: false });
    this.#bytes += bytes;
  }

  /** Counts more bytes, or fewer, for an entry that has changed in size. Another value of this key is left alone. */
  resize(key: string, value: T, moreBytes: number): void {
    const entry = this.#entries.get(key);
    if (entry?.value !== value) return;
    entry.bytes += moreBytes;
    this.#bytes += moreBytes;
    this.#makeRoom(0, 0);
  }

  delete(key: string): void {
    this.#bytes -= this.#entries.get(key)?.bytes ?? 0;
    this.#entries.delete(key);
  }

  /** Evicts until so much more fits. */
  #makeRoom(entries: number, bytes: number): void {
    let spared = 0;
    // A Map keeps insertion order, and a loop over it meets again what was moved to its end.
    for (const [key, entry] of this.#entries) {
      if (this.#entries.size + entries <= this.#most.entries && this.#bytes + bytes <= this.#most.bytes) return;
      if (!entry.used || spared === mostSpared) {
        this.delete(key);
        continue;
      }
      spared += 1;
      entry.used = false;
      this.#entries.delete(key);
      this.#entries.set(key, entry);
    }
  }
}

/** Most bytes that a cache of verified tokens, links or sessions keeps. */
export const maxBytesRemembered: number = 32 * 1024 ** 2;

/** What an entry takes besides its claims: hashes, key, its place in the map. */
const entryBytes = 1024;

/**
 * About how many bytes of memory remembered claims take, rather too many. The text that they came in says little: a
 * list of empty objects takes fifteen times as much.
 */
export function bytesHeld(claims: object): number {
  return entryBytes + sizeOf(claims);
}

function sizeOf(value: unknown): number {
  if (typeof value === 'string') return 24 + 2 * value.length;
  if (typeof value !== 'object' || value === null) return 16;
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + 8 + sizeOf(item), 48);
  return Object.entries(value).reduce((sum, [name, item]) => sum + 48 + 2 * name.length + sizeOf(item), 96);
}
