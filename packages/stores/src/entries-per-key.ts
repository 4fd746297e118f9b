/**
 * Counts the entries of each key that have not ended, where a store cannot: for a database, counting is too slow and a
 * counter is a lock that all wait for.
 */
export class EntriesPerKey {
  readonly #most: number;
  readonly #held = new Map<string, number>();
  /** For each last second, how many entries each key has. */
  readonly #bySecond = new Map<number, Map<string, number>>();
  #second = 0;

  constructor(most: number) {
    this.#most = most;
  }

  isFull(key: string, now: number): boolean {
    this.#forget(Math.floor(now));
    return (this.#held.get(key) ?? 0) >= this.#most;
  }

  add(key: string, until: number): void {
    const second = Math.ceil(until);
    const keys = this.#bySecond.get(second) ?? new Map<string, number>();
    keys.set(key, (keys.get(key) ?? 0) + 1);
    this.#bySecond.set(second, keys);
    this.#held.set(key, (this.#held.get(key) ?? 0) + 1);
  }

  #forget(now: number): void {
    if (now === this.#second) return;
    this.#second = now;
    for (const [second, keys] of this.#bySecond) {
      if (second >= now) continue;
      this.#bySecond.delete(second);
      for (const [key, count] of keys) this.#release(key, count);
    }
  }

  #release(key: string, count: number): void {
    const left = (this.#held.get(key) ?? 0) - count;
    if (left > 0) this.#held.set(key, left);
    else this.#held.delete(key);
  }
}
