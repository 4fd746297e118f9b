/**
 * Lists by key that together hold the latest values: at least `most`, fewer than twice as many. It drops values in
 * batches, because finding the oldest entry of a `Map` scans past all deleted ones.
 */
export class RecentLists<Value> {
  readonly #most: number;
  readonly #onForgotten: () => void;
  #young = new Map<string, Value[]>();
  #old = new Map<string, Value[]>();
  /** Number of values in `#young`. */
  #count = 0;

  constructor(most: number, onForgotten: () => void) {
    this.#most = most;
    this.#onForgotten = onForgotten;
  }

  add(key: string, value: Value): void {
    const list = this.#young.get(key);
    if (list === undefined) this.#young.set(key, [value]);
    else list.push(value);
    this.#count += 1;
    if (this.#count < this.#most) return;
    if (this.#old.size > 0) this.#onForgotten();
    this.#old = this.#young;
    this.#young = new Map();
    this.#count = 0;
  }

  /** Removes the list of a key, and returns it, the oldest value first. */
  take(key: string): readonly Value[] {
    const young = this.#young.get(key) ?? [];
    const old = this.#old.get(key) ?? [];
    this.#young.delete(key);
    this.#old.delete(key);
    this.#count -= young.length;
    return [...old, ...young];
  }

  /** Those of older keys first. */
  *values(): Generator<Value, void, undefined> {
    for (const lists of [this.#old, this.#young]) for (const list of lists.values()) yield* list;
  }
}
