import { closePart, withTimeout } from '@countersign/common';
import { AuditError } from '../record/audit-error.js';
import type { AuditEvent, AuditSink, ObservableSink, SinkStatus } from '../record/event.js';
import { roomFor } from '../record/room.js';

export interface SinkLimits {
  /** Most records that wait for the sink. */
  readonly maxWaiting: number;
  /** Timeout of a write, and of the close. */
  readonly timeoutMilliseconds: number;
}

/** A write without an answer. */
interface Waiting {
  readonly reject: (error: unknown) => void;
  /** By `performance.now`. */
  readonly deadline: number;
}

/** Gives a sink a timeout and a limit of concurrent records. */
export class BoundedSink implements ObservableSink {
  readonly #sink: AuditSink;
  readonly #name: string;
  readonly #limits: SinkLimits;
  /** Writes that have not timed out, the oldest first: one timer, for the first deadline, serves them all. */
  readonly #waiting = new Set<Waiting>();
  #timer: NodeJS.Timeout | undefined;
  /** Writes that timed out. They count until the sink answers them, or takes another record. */
  readonly #timedOut = new Set<Waiting>();
  #onIdle: (() => void)[] = [];
  #lost = 0;

  constructor(sink: AuditSink, name: string, limits: SinkLimits) {
    this.#sink = sink;
    this.#name = name;
    this.#limits = limits;
  }

  /** @throws AuditError if too many records wait or the write times out; otherwise whatever the sink throws. */
  write(event: AuditEvent): Promise<void> {
    return new Promise((resolve, rejectWrite) => {
      const reject = (error: unknown): void => {
        this.#lost += 1;
        rejectWrite(error);
      };
      try {
        this.#checkRoom(event);
        const answer = Promise.resolve(this.#sink.write(event));
        const write: Waiting = { reject, deadline: performance.now() + this.#limits.timeoutMilliseconds };
        this.#await(write);
        answer.then(
          () => {
            // The sink works again, so it has lost the records that it never answered.
            if (this.#answered(write)) this.#timedOut.clear();
            resolve();
          },
          (error: unknown) => {
            if (this.#answered(write)) reject(error);
          },
        );
      } catch (error) {
        reject(error);
      }
    });
  }

  status(name: string = 'audit'): readonly [SinkStatus] {
    return [{ name, waiting: this.#waiting.size, lost: this.#lost, ...this.#sink.backlog?.() }];
  }

  /** Resolves with the answer after which no write waits; never if the last one is not answered. */
  async idle(): Promise<void> {
    if (this.#waiting.size > 0) await new Promise<void>((resolve) => void this.#onIdle.push(resolve));
  }

  /** Closes the sink once `before` has settled, unless others hold it. @throws AuditError on a timeout. */
  async close(before: Promise<void> = Promise.resolve()): Promise<void> {
    const closed = before.then(() => closePart(this.#sink));
    await withTimeout(this.#limits.timeoutMilliseconds, closed, () => {
      const late = `${this.#name} was not closed within ${this.#seconds} seconds.`;
      const unanswered = this.#waiting.size + this.#timedOut.size;
      throw new AuditError('timed_out', `${late} Records without an answer: ${unanswered}.`);
    });
  }

  /** After too many timeouts the sink still gets one record at a time: it may work again. */
  #checkRoom(event: AuditEvent): void {
    const room = roomFor(event, this.#limits.maxWaiting);
    if (this.#waiting.size === 0 || this.#waiting.size + this.#timedOut.size < room) return;
    throw new AuditError('overloaded', `${room} audit records are waiting for ${this.#name} already.`);
  }

  #await(write: Waiting): void {
    this.#waiting.add(write);
    this.#timer ??= setTimeout(() => this.#timeOut(), this.#limits.timeoutMilliseconds);
  }

  /** Returns whether the answer was in time. */
  #answered(write: Waiting): boolean {
    const isInTime = this.#waiting.delete(write);
    if (!isInTime) this.#timedOut.delete(write);
    if (this.#waiting.size === 0) this.#becomeIdle();
    return isInTime;
  }

  #timeOut(): void {
    this.#timer = undefined;
    const now = performance.now();
    for (const write of this.#waiting) {
      const remaining = write.deadline - now;
      // A timer may be up to a millisecond early.
      if (remaining >= 1) {
        this.#timer = setTimeout(() => this.#timeOut(), remaining);
        return;
      }
      this.#waiting.delete(write);
      this.#timedOut.add(write);
      write.reject(new AuditError('timed_out', `${this.#name} did not answer within ${this.#seconds} seconds.`));
    }
  }

  #becomeIdle(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const resolve of this.#onIdle) resolve();
    this.#onIdle = [];
  }

  get #seconds(): number {
    return this.#limits.timeoutMilliseconds / 1000;
  }
}
