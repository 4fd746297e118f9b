import { FailureThrottle } from './failure-throttle.js';

/** Failures by kind. */
export type Counted = readonly (readonly [kind: string, times: number])[];

const none: Counted = [];

/** A throttle for each kind of failure. A kind recovers after ten seconds without a failure of that kind. */
export class FailureThrottles {
  readonly #clock: () => number;
  readonly #kinds = new Map<string, FailureThrottle>();

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  of(kind: string): FailureThrottle {
    const known = this.#kinds.get(kind);
    if (known !== undefined) return known;
    const throttle = new FailureThrottle(this.#clock);
    this.#kinds.set(kind, throttle);
    return throttle;
  }

  /** Records a success for every kind. Returns the kinds that recovered. */
  recordSuccess(): Counted {
    return this.#counted((throttle) => throttle.recordSuccess());
  }

  /** At the close: the kinds whose last attempt worked. */
  flush(): Counted {
    return this.#counted((throttle) => throttle.flush());
  }

  #counted(count: (throttle: FailureThrottle) => number): Counted {
    if (this.#kinds.size === 0) return none;
    return [...this.#kinds]
      .map(([kind, throttle]) => [kind, count(throttle)] as const)
      .filter(([, times]) => times > 0);
  }
}
