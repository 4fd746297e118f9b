/** Seconds to wait after an attempt, by what asks for the next one. */
const pauses = {
  due: 1,
  /** Something was not found, which may be new: unknown names must not steer our requests. */
  miss: 30,
  /** Whatever asks, while the server is down. */
  down: 5,
} as const;

/** The attempts to fetch one remote document: one at a time, and none too soon after the last. */
export class Attempts {
  readonly #missPause: () => number;
  #inFlight: Promise<void> | undefined;
  #last: number | undefined;
  #failure: string | undefined;

  /** `missPause` gives the seconds before a document is fetched again because something is not in it. Default 30. */
  constructor(missPause: () => number = () => pauses.miss) {
    this.#missPause = missPause;
  }

  /** Why the last attempt failed; undefined after a success, and before the first attempt. */
  get failure(): string | undefined {
    return this.#failure;
  }

  /** Whether the server is known to be down since a moment ago. */
  isDown(now: number): boolean {
    return this.#failure !== undefined && this.#elapsed(now) < pauses.miss;
  }

  /** Joins the attempt in flight, or begins one if it is time. `attempt` resolves to why it failed. */
  async run(reason: 'due' | 'miss', now: number, attempt: (now: number) => Promise<string | undefined>): Promise<void> {
    const wanted = reason === 'miss' ? this.#missPause() : pauses.due;
    const pause = this.#failure === undefined ? wanted : pauses.down;
    if (this.#inFlight === undefined && this.#elapsed(now) >= pause) {
      this.#last = now;
      this.#inFlight = this.#attempt(now, attempt);
    }
    await this.#inFlight;
  }

  async #attempt(now: number, attempt: (now: number) => Promise<string | undefined>): Promise<void> {
    try {
      this.#failure = await attempt(now);
    } finally {
      this.#inFlight = undefined;
    }
  }

  #elapsed(now: number): number {
    return this.#last === undefined ? Infinity : elapsedSince(this.#last, now);
  }
}

/** Seconds since a time. A clock that was set back leaves no age to rely on. */
export function elapsedSince(since: number, now: number): number {
  return now < since ? Infinity : now - since;
}
