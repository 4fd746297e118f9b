interface Entry<T> {
  readonly value: T;
  readonly bytes: number;
}

/** A map bounded in entries and, if their sizes are given, in bytes. It evicts the least recently used entry. */
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
    // A Map keeps insertion order: an entry that is used moves to the end.
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value;
  }

  set(key: string, value: T, bytes = 0): void {
    this.delete(key);
    this.#entries.set(key, { value, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#entries.keys()) {
      if (this.#entries.size <= this.#most.entries && this.#bytes <= this.#most.bytes) return;
      this.delete(oldest);
    }
  }

  delete(key: string): void {
    this.#bytes -= this.#entries.get(key)?.bytes ?? 0;
    this.#entries.delete(key);
  }
}
