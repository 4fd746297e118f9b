/** Where some go well while others fail one success says little: a trouble is over after so long without a failure. */
const quietMilliseconds = 10_000;

/**
 * Counts failures of one kind and says which to tell: the first, the second, the fourth …, since one that lasts must
 * not flood whoever listens; and, once, that they are over.
 */
export class FailureThrottle {
  readonly #clock: () => number;
  #times = 0;
  #last = 0;
  #worked = false;

  /** `clock` in milliseconds. */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** Call it at each failure; true if this one is to be told. */
  again(): boolean {
    this.#times += 1;
    this.#last = this.#now();
    this.#worked = false;
    return Number.isInteger(Math.log2(this.#times));
  }

  /** How many there were so far. */
  get times(): number {
    return this.#times;
  }

  get howOften(): string {
    return this.#times === 1 ? 'once' : `${this.#times} times`;
  }

  /** Call it when it worked; returns how many failures are over with that, or 0. */
  over(): number {
    this.#worked = true;
    // A clock may have been put back meanwhile.
    if (this.#times === 0 || Math.abs(this.#now() - this.#last) < quietMilliseconds) return 0;
    return this.overAtLast();
  }

  /** Call it when nothing follows any more: as `over`, if the last one worked, however soon after a failure. */
  overAtLast(): number {
    if (!this.#worked) return 0;
    const times = this.#times;
    this.#times = 0;
    return times;
  }

  #now(): number {
    try {
      return this.#clock();
    } catch {
      // What failed must not fail once more here.
      return this.#last;
    }
  }
}
