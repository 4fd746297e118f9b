/** Expired entries taken off the counts per call. More than one, so that the counts fall faster than they rise. */
const releasesPerCall = 64;

/** An agent that holds entries. */
export interface LiveOwner {
  readonly id: string;
  /** Stands for it in the lists of seconds. Free for another one once the last entry of this one is off the counts. */
  readonly index: number;
  held: number;
}

/**
 * Counts the entries that are not forgotten, in all and for each agent. An entry counts up to its last second; when the
 * clock has passed it, it is forgotten for good, also if the clock is set back.
 */
export class LiveEntries {
  /** The latest second (unix) of a forgotten entry; 0 before there is one. */
  forgottenUpTo = 0;
  /** How many there are, with those forgotten that `forget` has not taken off yet. */
  count = 0;
  #second = 0;
  readonly #owners = new Map<string, LiveOwner>();
  readonly #ownerAt: (LiveOwner | undefined)[] = [];
  readonly #freeIndexes: number[] = [];
  /** For each last second, the index of the owner of each entry. */
  readonly #bySecond = new Map<number, number[]>();
  /** The same of forgotten seconds, still in the counts. */
  readonly #forgotten: number[][] = [];

  /** Forgets what counted only before this second. */
  forget(second: number): void {
    if (second !== this.#second) this.#forgetSeconds(second);
    for (let left = releasesPerCall; left > 0 && this.#forgotten.length > 0; left--) this.#release();
  }

  /** The owner, which holds nothing yet if it is new here. */
  owner(id: string): LiveOwner {
    return this.#owners.get(id) ?? { id, index: this.#freeIndexes.at(-1) ?? this.#ownerAt.length, held: 0 };
  }

  /** Adds an entry of an owner that `owner` has just given. */
  add(owner: LiveOwner, lastSecond: number): void {
    if (owner.held === 0) this.#begin(owner);
    owner.held++;
    this.count++;
    const indexes = this.#bySecond.get(lastSecond);
    if (indexes === undefined) this.#bySecond.set(lastSecond, [owner.index]);
    else indexes.push(owner.index);
  }

  #begin(owner: LiveOwner): void {
    if (owner.index === this.#ownerAt.length) this.#ownerAt.push(owner);
    else this.#ownerAt[this.#freeIndexes.pop() ?? owner.index] = owner;
    this.#owners.set(owner.id, owner);
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
    const owner = index === undefined ? undefined : this.#ownerAt[index];
    if (owner === undefined) return;
    this.count--;
    owner.held--;
    if (owner.held > 0) return;
    this.#owners.delete(owner.id);
    this.#ownerAt[owner.index] = undefined;
    this.#freeIndexes.push(owner.index);
  }
}
