import { withTimeout } from '@countersign/common';
import { AuditError } from '../record/audit-error.js';
import type { AuditEvent, AuditSink } from '../record/event.js';

export interface SinkLimits {
  /** Most records that may wait for the sink. */
  readonly maxWaiting: number;
  /** Longest wait for it, to write and to close. */
  readonly timeoutMilliseconds: number;
}

/** A sink that answers within a time or has failed, and is given no more than so many records at once. */
export class BoundedSink {
  readonly #sink: AuditSink;
  readonly #name: string;
  readonly #limits: SinkLimits;
  readonly #waiting = new Set<Promise<void>>();
  /** Nobody waits for these any more. They hold their places until the sink answers them, or takes another. */
  readonly #late = new Set<Promise<void>>();

  constructor(sink: AuditSink, name: string, limits: SinkLimits) {
    this.#sink = sink;
    this.#name = name;
    this.#limits = limits;
  }

  /** @throws AuditError if too many records wait, or there is no answer in time; whatever the sink says else. */
  async write(event: AuditEvent): Promise<void> {
    this.#checkRoom();
    // A promise of its own: a sink may answer several records with one.
    const write = Promise.resolve(this.#sink.write(event)).then(() => {});
    this.#waiting.add(write);
    try {
      await this.#withTimeout(write, () => this.#giveUp(write));
      // A sink that works again has lost what it has not answered yet.
      this.#late.clear();
    } finally {
      this.#waiting.delete(write);
    }
  }

  /** Resolves when all that waits was answered, or nobody waits for it any more. */
  async idle(): Promise<void> {
    await Promise.allSettled(this.#waiting);
  }

  /** Closes the sink once `before` has ended. @throws AuditError if that takes too long. */
  async close(before: Promise<void> = Promise.resolve()): Promise<void> {
    await this.#withTimeout(
      before.then(() => this.#sink.close?.()),
      () => {
        const unanswered = this.#waiting.size + this.#late.size;
        return `${this.#name} was not closed within ${this.#seconds} seconds. Records without an answer: ${unanswered}.`;
      },
    );
  }

  /** One that has swallowed so many answers is tried with a single record at a time: it may work again. */
  #checkRoom(): void {
    const { maxWaiting } = this.#limits;
    if (this.#waiting.size === 0 || this.#waiting.size + this.#late.size < maxWaiting) return;
    throw new AuditError('overloaded', `${maxWaiting} audit records are waiting for ${this.#name} already.`);
  }

  #giveUp(write: Promise<void>): string {
    this.#late.add(write);
    const forget = (): void => void this.#late.delete(write);
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
