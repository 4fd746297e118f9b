/** Mixed results: recovery is reported only after so long without a failure. */
const quietMilliseconds = 10_000;

/**
 * Counts failures of one kind and says which to report: the first, the second, the fourth …, so that a lasting failure
 * does not flood the listener; and, once, that it recovered.
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

  /** Counts a failure. Returns whether to report it. */
  recordFailure(): boolean {
    this.#times += 1;
    this.#last = this.#now();
    this.#worked = false;
    return Number.isInteger(Math.log2(this.#times));
  }

  /** Failures so far. */
  get times(): number {
    return this.#times;
  }

  get timesText(): string {
    return this.#times === 1 ? 'once' : `${this.#times} times`;
  }

  /** Records a success. Returns how many failures it ends: 0 if there were none, or the last one was less than 10 s ago. */
  recordSuccess(): number {
    this.#worked = true;
    // The clock may have been set back.
    if (this.#times === 0 || Math.abs(this.#now() - this.#last) < quietMilliseconds) return 0;
    return this.flush();
  }

  /** At the close: returns how many failures ended, without the wait for 10 quiet seconds; 0 if the last attempt failed. */
  flush(): number {
    if (!this.#worked) return 0;
    const times = this.#times;
    this.#times = 0;
    return times;
  }

  #now(): number {
    try {
      return this.#clock();
    } catch {
      // A clock that throws must not add a second failure.
      return this.#last;
    }
  }
}
