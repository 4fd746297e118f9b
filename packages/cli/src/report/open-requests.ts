import { RecentMap } from '../commands/audit/recent-map.js';
import type { RecordFacts } from '../commands/audit/record-facts.js';

/** Requests above this number are only counted, because a log may hold no outcome at all. */
const mostKnown = 50_000;

/** Requests with an allow and without an outcome: the process crashed, or they are still running. */
export class OpenRequests {
  readonly #ids: RecentMap<true>;
  #forgotten = 0;

  constructor() {
    this.#ids = new RecentMap(mostKnown, (count) => {
      this.#forgotten += count;
    });
  }

  get count(): number {
    return this.#ids.size + this.#forgotten;
  }

  take({ phase, decision, requestId }: RecordFacts): void {
    if (phase === 'outcome') {
      if (requestId !== undefined) this.#ids.delete(requestId);
      return;
    }
    if (phase !== 'decision' || decision !== 'allow') return;
    if (requestId === undefined) this.#forgotten += 1;
    else this.#ids.set(requestId, true);
  }

  /** Whether a request is one of them. */
  has(requestId: string | undefined): boolean {
    return requestId !== undefined && this.#ids.has(requestId);
  }
}
