/** Expired entries taken off the counts per call. More than one, so that the counts fall faster than they rise. */
const releasesPerCall = 64;

/** A key that holds entries. */
export interface LiveKey {
  readonly id: string;
  /** Stands for the key in digests. Free for another key once the last entry of this one is forgotten. */
  readonly index: number;
  held: number;
}

/**
 * Counts the entries that are not forgotten, in all and for each key. An entry counts up to its last second; when the
 * clock has passed it, it is forgotten for good, also if the clock is set back.
 */
export class LiveEntries {
  /** The latest second (unix) of a forgotten entry; 0 before there is one. */
  forgottenUpTo = 0;
  /** How many there are, with those forgotten that `forget` has not taken off yet. */
  count = 0;
  #second = 0;
  readonly #keys = new Map<string, LiveKey>();
  readonly #keyAt: (LiveKey | undefined)[] = [];
  readonly #freeIndexes: number[] = [];
  /** For each last second, the index of the key of each entry. */
  readonly #bySecond = new Map<number, number[]>();
  /** The same of forgotten seconds, still in the counts. */
  readonly #forgotten: number[][] = [];

  /** Forgets what counted only before this second. */
  forget(second: number): void {
    if (second !== this.#second) this.#forgetSeconds(second);
    for (let left = releasesPerCall; left > 0 && this.#forgotten.length > 0; left--) this.#release();
  }

  /** The key, which holds nothing yet if it is new here. */
  key(id: string): LiveKey {
    return this.#keys.get(id) ?? { id, index: this.#freeIndexes.at(-1) ?? this.#keyAt.length, held: 0 };
  }

  /** Adds an entry of a key that `key` has just given. */
  add(key: LiveKey, lastSecond: number): void {
    if (key.held === 0) this.#begin(key);
    key.held++;
    this.count++;
    const indexes = this.#bySecond.get(lastSecond);
    if (indexes === undefined) this.#bySecond.set(lastSecond, [key.index]);
    else indexes.push(key.index);
  }

  #begin(key: LiveKey): void {
    if (key.index === this.#keyAt.length) this.#keyAt.push(key);
    else this.#keyAt[this.#freeIndexes.pop() ?? key.index] = key;
    this.#keys.set(key.id, key);
  }

  /** Looks at the seconds since the last call, or at those that hold entries, whichever are fewer. */
  #forgetSeconds(second: number): void {
    if (second - this.#second > this.#bySecond.size) {
      for (const lastSecond of this.#bySecond.keys()) if (lastSecond < second) this.#forgetSecond(lastSecond);
    } else {
      for (let lastSecond = this.#second; lastSecond < second; lastSecond++) this.#forgetSecond(lastSecond);
    }
    this.#second = second;
  }

  #forgetSecond(lastSecond: number): void {
    const indexes = this.#bySecond.get(lastSecond);
    if (indexes === undefined) return;
    this.#bySecond.delete(lastSecond);
    this.#forgotten.push(indexes);
    this.forgottenUpTo = Math.max(this.forgottenUpTo, lastSecond);
  }

  #release(): void {
    const indexes = this.#forgotten.at(-1);
    const index = indexes?.pop();
    if (indexes?.length === 0) this.#forgotten.pop();
    const key = index === undefined ? undefined : this.#keyAt[index];
    if (key === undefined) return;
    this.count--;
    key.held--;
    if (key.held > 0) return;
    this.#keys.delete(key.id);
    this.#keyAt[key.index] = undefined;
    this.#freeIndexes.push(key.index);
  }
}
