import type { RecordFacts } from '../commands/audit/record-facts.js';

/** More are only counted: a log may hold no outcome at all. */
const mostKnown = 100_000;

/** The requests that were allowed something and have no outcome: a crash, or they are still running. */
export class OpenRequests {
  readonly #ids = new Set<string>();
  #forgotten = 0;

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
    else this.#ids.add(requestId);
    const [oldest] = this.#ids;
    if (this.#ids.size <= mostKnown || oldest === undefined) return;
    this.#ids.delete(oldest);
    this.#forgotten += 1;
  }

  /** Whether a record tells how one of them ended. */
  endsWith({ phase, requestId }: RecordFacts): boolean {
    return phase === 'outcome' && requestId !== undefined && this.#ids.has(requestId);
  }
}
