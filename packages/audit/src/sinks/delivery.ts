import { FailureThrottle, reasonOf } from '@countersign/common';
import type { CloudEventsSettings } from './cloud-events-options.js';
import { type Answer, postEvents } from './post-events.js';
import { RefusedRecords } from './refused-records.js';
import { readBatch, type Spool, type SpooledBatch } from './spool.js';

/** Waits; ends early when the signal says so. A test has its own. */
export type Pause = (milliseconds: number, signal: AbortSignal) => Promise<void>;

const firstRetryMilliseconds = 1000;
/** So often a batch is sent that is refused for good: the receiver may be about to get a new version. */
const mostRefusals = 5;

/**
 * Sends what is ready, batch by batch, oldest first, and tries the same records until they were received. No answer
 * means that they may be dropped: what is refused for good is looked for, record by record, and put aside, so that it
 * holds up no others.
 */
export class Delivery {
  readonly #spool: Spool;
  readonly #settings: CloudEventsSettings;
  readonly #pause: Pause;
  readonly #closing = new AbortController();
  readonly #trouble: FailureThrottle;
  readonly #refused: RefusedRecords;
  #working: Promise<void> | undefined;
  /** How many lines of the oldest batch are done with. */
  #done = 0;
  /** Most lines that are sent at once: fewer than a batch once that was too large. */
  #most: number;
  #wasTooLarge = false;
  /** Most while those are looked for that the receiver refuses. */
  #atOnce: number;
  #tookSome = false;
  /** Of the lines that are sent now. */
  #tries = 0;
  /** How many tries are left before it is looked for which records are refused. */
  #patience = mostRefusals;
  #afterMilliseconds = 0;

  constructor(spool: Spool, settings: CloudEventsSettings, pause: Pause) {
    this.#spool = spool;
    this.#settings = settings;
    this.#pause = pause;
    this.#trouble = new FailureThrottle(settings.clock);
    this.#refused = new RefusedRecords(spool, settings);
    this.#most = settings.batchRecords;
    this.#atOnce = settings.batchRecords;
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
    this.#tellOver(this.#trouble.overAtLast());
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
      const part = lines?.slice(this.#done, this.#done + Math.min(this.#most, this.#atOnce)) ?? [];
      const goesOn = part.length === 0 || this.#judge(part, await postEvents(part, this.#settings, signal));
      if (this.#done >= (lines?.length ?? 0)) this.#finish(batch);
      return goesOn;
    } catch (error) {
      return this.#failed(reasonOf(error));
    }
  }

  /** Returns whether to go on without a pause. */
  #judge(part: readonly string[], answer: Answer): boolean {
    if (answer.kind === 'received') return this.#received(part.length);
    if (answer.kind === 'too_large' && part.length > 1) return this.#sendFewer(part.length);
    const reason = `it answered ${answer.status}`;
    if (answer.kind === 'later') return this.#failed(reason, answer.afterMilliseconds);
    this.#patience = Math.max(0, this.#patience - 1);
    if (this.#patience > 0) return this.#failed(reason);
    if (part.length > 1) return this.#lookCloser(part.length);
    for (const line of part) this.#refused.add(line, reason);
    return this.#next(part.length);
  }

  #received(count: number): boolean {
    this.#tellOver(this.#trouble.over());
    this.#tookSome = true;
    this.#atOnce = Math.min(this.#atOnce * 2, this.#settings.batchRecords);
    return this.#next(count);
  }

  #tellOver(times: number): void {
    if (times > 0) this.#settings.onTrouble(`countersign: ${this.#settings.url.host} takes audit records again.`);
  }

  #next(count: number): boolean {
    this.#done += count;
    this.#tries = 0;
    return true;
  }

  #sendFewer(count: number): boolean {
    this.#most = Math.ceil(count / 2);
    this.#wasTooLarge = true;
    return true;
  }

  /** One bad record must not take out those that it was sent with. */
  #lookCloser(count: number): boolean {
    this.#atOnce = Math.ceil(count / 2);
    return true;
  }

  #finish(batch: SpooledBatch): void {
    this.#patience = this.#patienceAfter();
    this.#refused.keep(batch);
    this.#spool.remove(batch);
    this.#done = 0;
    this.#tookSome = false;
    this.#atOnce = this.#settings.batchRecords;
    // Other records may be smaller.
    if (!this.#wasTooLarge) this.#most = Math.min(this.#most * 2, this.#settings.batchRecords);
    this.#wasTooLarge = false;
  }

  /**
   * Where some were received it is the others that are bad, not the receiver: whoever can have one bad record written
   * in each batch must not make each of them wait. It comes back try by try, with batches that have none.
   */
  #patienceAfter(): number {
    if (this.#refused.count === 0) return Math.min(mostRefusals, this.#patience + 1);
    return this.#tookSome ? this.#patience : mostRefusals;
  }

  #failed(reason: string, afterMilliseconds = 0): boolean {
    this.#tries += 1;
    this.#afterMilliseconds = afterMilliseconds;
    if (this.#trouble.again()) {
      this.#settings.onTrouble(
        `countersign: ${this.#settings.url.host} took no audit records, ${this.#trouble.howOften} now: ${reason}. ` +
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
