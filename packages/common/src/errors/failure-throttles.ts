import { FailureThrottle } from './failure-throttle.js';

/** How often each kind came. */
export type Counted = readonly (readonly [kind: string, times: number])[];

/** Troubles of several kinds, each counted for itself. One is over after ten seconds without a failure of its kind. */
export class FailureThrottles {
  readonly #clock: () => number;
  readonly #kinds = new Map<string, FailureThrottle>();

  constructor(clock: () => number) {
    this.#clock = clock;
  }

  of(kind: string): FailureThrottle {
    const known = this.#kinds.get(kind);
    if (known !== undefined) return known;
    const trouble = new FailureThrottle(this.#clock);
    this.#kinds.set(kind, trouble);
    return trouble;
  }

  /** Those that are over now, with how often they came. */
  over(): Counted {
    return this.#counted((trouble) => trouble.over());
  }

  /** The same when nothing follows any more: those after which it worked, however soon. */
  overAtLast(): Counted {
    return this.#counted((trouble) => trouble.overAtLast());
  }

  #counted(count: (trouble: FailureThrottle) => number): Counted {
    return [...this.#kinds].map(([kind, trouble]) => [kind, count(trouble)] as const).filter(([, times]) => times > 0);
  }
}
