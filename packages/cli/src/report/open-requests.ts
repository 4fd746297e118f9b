import { RecentMap } from '../commands/audit/recent-map.js';
import { type RecordFacts, unitOf, wentOn } from '../commands/audit/record-facts.js';

/** Requests and calls above this number are only counted, because a log may hold no outcome at all. */
const mostKnown = 50_000;

/** Requests and calls that went on and have no outcome: the process crashed, or they are still running. */
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

  take(record: RecordFacts): void {
    const { phase, decision } = record;
    const unit = unitOf(record);
    if (phase === 'outcome') {
      if (unit !== undefined) this.#ids.delete(unit);
      return;
    }
    if (phase !== 'decision' || !wentOn(decision)) return;
    if (unit === undefined) this.#forgotten += 1;
    else this.#ids.set(unit, true);
  }

  /** Whether a request or call, by `unitOf`, is one of them. */
  has(unit: string | undefined): boolean {
    return unit !== undefined && this.#ids.has(unit);
  }
}
