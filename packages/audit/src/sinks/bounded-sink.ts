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
  /** Number of writes without an answer that have not timed out. */
  #waiting = 0;
  /** Writes that timed out. They count until the sink answers them, or takes another record. */
  readonly #timedOut = new Set<object>();
  #onIdle: (() => void)[] = [];

  constructor(sink: AuditSink, name: string, limits: SinkLimits) {
    this.#sink = sink;
    this.#name = name;
    this.#limits = limits;
  }

  /** @throws AuditError if too many records wait or the write times out; otherwise whatever the sink throws. */
  write(event: AuditEvent): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#checkRoom();
      const answer = Promise.resolve(this.#sink.write(event));
      this.#waiting += 1;
      let isLate = false;
      const timer = setTimeout(() => {
        isLate = true;
        this.#waiting -= 1;
        this.#timedOut.add(answered);
        reject(new AuditError('timed_out', `${this.#name} did not answer within ${this.#seconds} seconds.`));
      }, this.#limits.timeoutMilliseconds);
      const answered = (): void => {
        clearTimeout(timer);
        if (isLate) this.#timedOut.delete(answered);
        else this.#waiting -= 1;
        if (this.#waiting === 0) this.#becomeIdle();
      };
      answer.then(
        () => {
          answered();
          // The sink works again, so it has lost the records that it never answered.
          if (!isLate) this.#timedOut.clear();
          resolve();
        },
        (error: unknown) => {
          answered();
          reject(error);
        },
      );
    });
  }

  /** Resolves with the answer after which no write waits; never if the last one is not answered. */
  async idle(): Promise<void> {
    if (this.#waiting > 0) await new Promise<void>((resolve) => void this.#onIdle.push(resolve));
  }

  /** Closes the sink once `before` has settled. @throws AuditError on a timeout. */
  async close(before: Promise<void> = Promise.resolve()): Promise<void> {
    const closed = before.then(() => this.#sink.close?.());
    await withTimeout(this.#limits.timeoutMilliseconds, closed, () => {
      const late = `${this.#name} was not closed within ${this.#seconds} seconds.`;
      const unanswered = this.#waiting + this.#timedOut.size;
      throw new AuditError('timed_out', `${late} Records without an answer: ${unanswered}.`);
    });
  }

  /** After too many timeouts the sink still gets one record at a time: it may work again. */
  #checkRoom(): void {
    const { maxWaiting } = this.#limits;
    if (this.#waiting === 0 || this.#waiting + this.#timedOut.size < maxWaiting) return;
    throw new AuditError('overloaded', `${maxWaiting} audit records are waiting for ${this.#name} already.`);
  }

  #becomeIdle(): void {
    for (const resolve of this.#onIdle) resolve();
    this.#onIdle = [];
  }

  get #seconds(): number {
    return this.#limits.timeoutMilliseconds / 1000;
  }
}
