/**
 * A map of the latest entries: at least `most`, at most twice as many. It drops them in batches, because finding the
 * oldest entry of a `Map` scans past all deleted ones.
 */
export class RecentMap<Value> {
  readonly #most: number;
  readonly #onForgotten: (count: number) => void;
  #young = new Map<string, Value>();
  #old = new Map<string, Value>();

  constructor(most: number, onForgotten: (count: number) => void = () => {}) {
    this.#most = most;
    this.#onForgotten = onForgotten;
  }

  get size(): number {
    return this.#young.size + this.#old.size;
  }

  get(key: string): Value | undefined {
    return this.#young.get(key) ?? this.#old.get(key);
  }

  has(key: string): boolean {
    return this.#young.has(key) || this.#old.has(key);
  }

  set(key: string, value: Value): void {
    this.#old.delete(key);
    this.#young.set(key, value);
    if (this.#young.size < this.#most) return;
    if (this.#old.size > 0) this.#onForgotten(this.#old.size);
    this.#old = this.#young;
    this.#young = new Map();
  }

  delete(key: string): void {
    this.#young.delete(key);
    this.#old.delete(key);
  }

  /** The oldest first. */
  *values(): Generator<Value, void, undefined> {
    yield* this.#old.values();
    yield* this.#young.values();
  }
}
