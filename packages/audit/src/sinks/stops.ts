import type { SpooledBatch } from './spool.js';

/** Most of them beside which another batch is closed before it is full: an outage must not leave a file for each pause. */
const mostBeside = 4;

/** The waiting batches at which a pass ended early, in that order: others are tried before them, since they may be the cause. */
export class Stops {
  readonly #batches = new Set<SpooledBatch>();

  has(batch: SpooledBatch): boolean {
    return this.#batches.has(batch);
  }

  /** Call it after each failed attempt. */
  note(batch: SpooledBatch, isStop: boolean): void {
    this.#batches.delete(batch);
    if (isStop) this.#batches.add(batch);
  }

  /** Call it when the batch waits no longer. */
  delete(batch: SpooledBatch): void {
    this.#batches.delete(batch);
  }

  /** The one that was tried the longest ago. */
  next(tried: ReadonlySet<SpooledBatch>): SpooledBatch | undefined {
    return [...this.#batches].find((batch) => !tried.has(batch));
  }

  /** Whether nothing else waits, so that another batch is needed to try. */
  needOther(waiting: number): boolean {
    return waiting === this.#batches.size && waiting <= mostBeside;
  }
}
