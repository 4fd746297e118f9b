import { withTimeout } from '@countersign/common';
import { AuditError } from '../record/audit-error.js';
import type { AuditEvent, AuditSink } from '../record/event.js';

export interface SinkLimits {
  /** Most records that wait for the sink. */
  readonly maxWaiting: number;
  /** Timeout of a write, and of the close. */
  readonly timeoutMilliseconds: number;
}

/** Gives a sink a timeout and a limit of concurrent records. */
export class BoundedSink {
  readonly #sink: AuditSink;
  readonly #name: string;
  readonly #limits: SinkLimits;
  readonly #waiting = new Set<Promise<void>>();
  /** Writes that timed out. They count until the sink answers them, or takes another record. */
  readonly #timedOut = new Set<Promise<void>>();

  constructor(sink: AuditSink, name: string, limits: SinkLimits) {
    this.#sink = sink;
    this.#name = name;
    this.#limits = limits;
  }

  /** @throws AuditError if too many records wait or the write times out; otherwise whatever the sink throws. */
  async write(event: AuditEvent): Promise<void> {
    this.#checkRoom();
    // A new promise for each record: a sink may return one promise for several.
    const write = Promise.resolve(this.#sink.write(event)).then(() => {});
    this.#waiting.add(write);
    try {
      await this.#withTimeout(write, () => this.#abandon(write));
      // The sink works again, so it has lost the records that it never answered.
      this.#timedOut.clear();
    } finally {
      this.#waiting.delete(write);
    }
  }

  /** Resolves when every write has been answered or has timed out. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#waiting);
  }

  /** Closes the sink once `before` has settled. @throws AuditError on a timeout. */
  async close(before: Promise<void> = Promise.resolve()): Promise<void> {
    await this.#withTimeout(
      before.then(() => this.#sink.close?.()),
      () => {
        const unanswered = this.#waiting.size + this.#timedOut.size;
        return `${this.#name} was not closed within ${this.#seconds} seconds. Records without an answer: ${unanswered}.`;
      },
    );
  }

  /** After too many timeouts the sink still gets one record at a time: it may work again. */
  #checkRoom(): void {
    const { maxWaiting } = this.#limits;
    if (this.#waiting.size === 0 || this.#waiting.size + this.#timedOut.size < maxWaiting) return;
    throw new AuditError('overloaded', `${maxWaiting} audit records are waiting for ${this.#name} already.`);
  }

  #abandon(write: Promise<void>): string {
    this.#timedOut.add(write);
    const forget = (): void => void this.#timedOut.delete(write);
    write.then(forget, forget);
    return `${this.#name} did not answer within ${this.#seconds} seconds.`;
  }

  get #seconds(): number {
    return this.#limits.timeoutMilliseconds / 1000;
  }

  async #withTimeout(work: Promise<void>, late: () => string): Promise<void> {
    await withTimeout(this.#limits.timeoutMilliseconds, work, () => {
      throw new AuditError('timed_out', late());
    });
  }
}
