import { LastingTrouble } from '../../lasting-trouble.js';
import { textOf } from '../../text-of.js';
import type { CloudEventsSettings } from './cloud-events-options.js';
import { type Answer, postEvents } from './post-events.js';
import { readBatch, type Spool, type SpooledBatch } from './spool.js';

/** Waits; ends early when the signal says so. A test has its own. */
export type Pause = (milliseconds: number, signal: AbortSignal) => Promise<void>;

const firstRetryMilliseconds = 1000;
/** So often records are sent that are refused for good: the receiver may be about to get a new version. */
const mostRefusals = 5;

/**
 * Sends what is ready, batch by batch, oldest first, and tries the same records until they were received. No answer
 * means that they may be dropped: what is refused for good is put aside, so that it holds up no others.
 */
export class Delivery {
  readonly #spool: Spool;
  readonly #settings: CloudEventsSettings;
  readonly #pause: Pause;
  readonly #closing = new AbortController();
  readonly #trouble = new LastingTrouble();
  #working: Promise<void> | undefined;
  /** How many lines of the oldest batch are done with. */
  #done = 0;
  /** Most lines that are sent at once: fewer than a batch once that was too large. */
  #most: number;
  #wasTooLarge = false;
  /** Of the lines that are sent now. */
  #tries = 0;
  #refusals = 0;
  #afterMilliseconds = 0;

  constructor(spool: Spool, settings: CloudEventsSettings, pause: Pause) {
    this.#spool = spool;
    this.#settings = settings;
    this.#pause = pause;
    this.#most = settings.batchRecords;
  }

  /** Call it when a batch may be ready. */
  wake(): void {
    if (this.#working === undefined && this.#hasWork) this.#working = this.#work();
  }

  /** Sends what is left, for as long as one try may take. What is not received by then waits for the next start. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#working;
    const deadline = AbortSignal.timeout(this.#settings.timeoutMilliseconds);
    while (this.#spool.oldest !== undefined && !deadline.aborted && (await this.#deliver(deadline)));
  }

  get #hasWork(): boolean {
    return this.#spool.oldest !== undefined && !this.#closing.signal.aborted;
  }

  async #work(): Promise<void> {
    while (this.#hasWork) {
      const goesOn = await this.#deliver(AbortSignal.timeout(this.#settings.timeoutMilliseconds));
      if (!goesOn && this.#hasWork) await this.#pause(this.#retryAfter(), this.#closing.signal);
    }
    this.#working = undefined;
  }

  /** Sends the next lines. Resolves to false when it is time for a pause. */
  async #deliver(signal: AbortSignal): Promise<boolean> {
    const batch = this.#spool.oldest;
    if (batch === undefined) return true;
    try {
      const lines = readBatch(batch);
      if (lines === undefined) this.#settings.onTrouble(`countersign: ${batch.path} was removed before it was sent.`);
      const part = lines?.slice(this.#done, this.#done + this.#most) ?? [];
      const goesOn = part.length === 0 || this.#judge(batch, part, await postEvents(part, this.#settings, signal));
      if (this.#done >= (lines?.length ?? 0)) this.#finish(batch);
      return goesOn;
    } catch (error) {
      return this.#failed(reasonOf(error));
    }
  }

  /** Returns whether to go on without a pause. */
  #judge(batch: SpooledBatch, part: readonly string[], answer: Answer): boolean {
    if (answer.kind === 'received') return this.#received(part.length);
    if (answer.kind === 'too_large' && part.length > 1) return this.#sendFewer(part.length);
    const reason = `it answered ${answer.status}`;
    if (answer.kind === 'later') return this.#failed(reason, answer.afterMilliseconds);
    this.#refusals += 1;
    if (this.#refusals < mostRefusals) return this.#failed(reason);
    const aside = this.#spool.putAside(batch, part);
    if (aside === undefined) return this.#failed(`${reason}, and there is no room to put more such records aside`);
    this.#settings.onTrouble(
      `countersign: ${this.#settings.url.host} refuses ${part.length} audit records for good (${reason}). They were put ` +
        `aside as ${aside}, and those behind them are sent. Nobody removes that file but you.`,
    );
    return this.#next(part.length);
  }

  #received(count: number): boolean {
    if (this.#trouble.over() > 0) {
      this.#settings.onTrouble(`countersign: ${this.#settings.url.host} takes audit records again.`);
    }
    return this.#next(count);
  }

  #next(count: number): boolean {
    this.#done += count;
    this.#tries = 0;
    this.#refusals = 0;
    return true;
  }

  #sendFewer(count: number): boolean {
    this.#most = Math.ceil(count / 2);
    this.#wasTooLarge = true;
    return true;
  }

  #finish(batch: SpooledBatch): void {
    this.#spool.remove(batch);
    this.#done = 0;
    // Other records may be smaller.
    if (!this.#wasTooLarge) this.#most = Math.min(this.#most * 2, this.#settings.batchRecords);
    this.#wasTooLarge = false;
  }

  #failed(reason: string, afterMilliseconds = 0): boolean {
    this.#tries += 1;
    this.#afterMilliseconds = afterMilliseconds;
    if (this.#trouble.again()) {
      this.#settings.onTrouble(
        `countersign: ${this.#settings.url.host} took no audit records, ${this.#trouble.inARow} now: ${reason}. ` +
          'They wait on disk; once the spool is full, more are refused.',
      );
    }
    return false;
  }

  /** Doubles, with chance in it: the processes of a fleet should not all come back at once. */
  #retryAfter(): number {
    const { maxRetryMilliseconds } = this.#settings;
    const pause = Math.min(maxRetryMilliseconds, firstRetryMilliseconds * 2 ** (this.#tries - 1));
    // What the receiver asks for counts, but whoever runs this has said how long is too long.
    return Math.max(pause * (0.5 + Math.random() / 2), Math.min(maxRetryMilliseconds, this.#afterMilliseconds));
  }
}

/** `fetch` says what happened in the cause only. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error && error.cause !== undefined ? ` (${textOf(error.cause)})` : '';
  return textOf(error) + cause;
}
