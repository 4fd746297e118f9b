import { FailureThrottle, reasonOf } from '@countersign/common';
import type { CloudEventsSettings } from './cloud-events-options.js';
import { type Answer, postEvents } from './post-events.js';
import { RefusedRecords } from './refused-records.js';
import { readBatch, type Spool, type SpooledBatch } from './spool.js';

/** Waits; ends early when the signal aborts. A test passes its own. */
export type Pause = (milliseconds: number, signal: AbortSignal) => Promise<void>;

const firstRetryMilliseconds = 1000;
/** Attempts before a refused batch is split: the receiver may be in the middle of an upgrade. */
const maxRefusals = 5;

/** The receiver did not take the records, and may take them later. */
class DeliveryPostponed extends Error {
  readonly retryAfterMilliseconds: number;

  constructor(reason: string, retryAfterMilliseconds = 0) {
    super(reason);
    this.retryAfterMilliseconds = retryAfterMilliseconds;
  }
}

/**
 * Sends batches in order, oldest first, and retries each until the receiver has taken it. An outage is no reason to drop
 * a record. A batch that is refused for good is split until the refused records are found: these are quarantined, so that
 * one bad record delays no others. So is a batch that fails otherwise while the receiver takes a control record: a
 * firewall before the receiver may answer 403 to what somebody wrote into a path.
 */
export class Delivery {
  readonly #spool: Spool;
  readonly #settings: CloudEventsSettings;
  readonly #pause: Pause;
  readonly #onDrained: () => void;
  readonly #closing = new AbortController();
  readonly #failures: FailureThrottle;
  readonly #refused: RefusedRecords;
  #working: Promise<void> | undefined;
  /** Set at close: when the last attempt ends. */
  #deadline: AbortSignal | undefined;
  /** Most lines in one request; lowered by a 413. */
  #maxLines: number;
  /** Refusals until a batch is split. */
  #patience = maxRefusals;
  /** A line that the receiver took. Sent again, with the same id, it shows whether the receiver takes anything now. */
  #control: string | undefined;
  /** Whether anything was received since the current batch was begun. */
  #receivedSome = false;

  /** `onDrained` is called when no batch waits any more. */
  constructor(spool: Spool, settings: CloudEventsSettings, pause: Pause, onDrained: () => void) {
    this.#spool = spool;
    this.#settings = settings;
    this.#pause = pause;
    this.#onDrained = onDrained;
    this.#failures = new FailureThrottle(settings.clock);
    this.#refused = new RefusedRecords(spool, settings);
    this.#maxLines = settings.batchRecords;
  }

  /** Call it when a batch may be ready. */
  wake(): void {
    if (this.#spool.oldest !== undefined) this.#working ??= this.#work();
  }

  /** Sends the rest until an attempt fails or one timeout has passed. What is left waits for the next start. */
  async close(): Promise<void> {
    this.#deadline = AbortSignal.timeout(this.#settings.timeoutMilliseconds);
    this.#closing.abort();
    this.wake();
    await this.#working;
    this.#reportRecovery(this.#failures.flush());
  }

  async #work(): Promise<void> {
    for (let batch = this.#spool.oldest; batch !== undefined; batch = this.#spool.oldest) {
      if (!(await this.#deliverBatch(batch))) break;
    }
    this.#working = undefined;
    if (this.#spool.oldest === undefined) this.#onDrained();
  }

  /** Resolves to false if the sink closes first; so do the two below. */
  async #deliverBatch(batch: SpooledBatch): Promise<boolean> {
    const lines = await this.#retry(() => this.#read(batch));
    const maxLines = this.#maxLines;
    this.#receivedSome = false;
    if (lines === undefined || !(await this.#deliver(lines))) return false;
    return (await this.#retry(() => this.#finish(batch, maxLines))) === true;
  }

  async #deliver(lines: readonly string[]): Promise<boolean> {
    if (lines.length === 0) return true;
    const tooMany = lines.length > this.#maxLines;
    const result = tooMany ? 'split' : await this.#retry((attempts) => this.#send(lines, attempts));
    if (result !== 'split') return result === 'settled';
    const middle = Math.ceil(lines.length / 2);
    return (await this.#deliver(lines.slice(0, middle))) && (await this.#deliver(lines.slice(middle)));
  }

  /** Repeats an attempt until it does not throw. Undefined if it still fails while the sink closes. */
  async #retry<Result>(attempt: (attempts: number) => Result | Promise<Result>): Promise<Result | undefined> {
    for (let attempts = 1; this.#deadline?.aborted !== true; attempts++) {
      try {
        return await attempt(attempts);
      } catch (error) {
        this.#reportFailure(reasonOf(error));
        if (this.#closing.signal.aborted) break;
        await this.#pause(this.#retryDelay(attempts, error), this.#closing.signal);
      }
    }
    return undefined;
  }

  #read(batch: SpooledBatch): readonly string[] {
    const lines = readBatch(batch);
    if (lines === undefined) this.#settings.onTrouble(`countersign: ${batch.path} was removed before it was sent.`);
    return lines ?? [];
  }

  /** `settled`: each line was received or refused for good. */
  async #send(lines: readonly string[], attempts: number): Promise<'settled' | 'split'> {
    const answer = await this.#post(lines);
    if (answer.kind === 'received') {
      this.#reportRecovery(this.#failures.recordSuccess());
      return 'settled';
    }
    if (answer.kind === 'too_large' && lines.length > 1) {
      this.#maxLines = Math.ceil(lines.length / 2);
      return 'split';
    }
    if (answer.kind === 'failed') {
      const postponed = new DeliveryPostponed(answer.reason, answer.afterMilliseconds);
      if (attempts < this.#patience || !(await this.#isContentToBlame(lines))) throw postponed;
      this.#patience = 0;
    }
    this.#patience = Math.max(0, this.#patience - 1);
    if (this.#patience > 0) throw new DeliveryPostponed(answer.reason);
    if (lines.length > 1) return 'split';
    for (const line of lines) this.#refused.add(line, answer.reason);
    return 'settled';
  }

  async #post(lines: readonly string[]): Promise<Answer> {
    const signal = this.#deadline ?? AbortSignal.timeout(this.#settings.timeoutMilliseconds);
    const answer = await postEvents(lines, this.#settings, signal);
    if (answer.kind === 'received') {
      this.#control = lines[0];
      this.#receivedSome = true;
    }
    return answer;
  }

  /**
   * Whether lines failed because of what they hold. Splitting them loses nothing; a single line must fail five times in a
   * row while a control record is received each time, since a receiver that is half down fails at random.
   */
  async #isContentToBlame(lines: readonly string[]): Promise<boolean> {
    if (lines.length > 1) return this.#patience === 0 || (await this.#findControl());
    if (!(await this.#findControl(lines[0]))) return false;
    for (let failures = 2; failures <= maxRefusals; failures++) {
      if (await this.#isReceived(lines[0])) return false;
      if (!(await this.#isReceived(this.#control))) return false;
    }
    return true;
  }

  /** Tries what the receiver took before, and any line that waits but this one. */
  async #findControl(failed?: string): Promise<boolean> {
    const candidates = [this.#control, this.#spool.sampleLine()].filter((line) => line !== failed);
    for (const line of candidates) if (await this.#isReceived(line)) return true;
    return false;
  }

  async #isReceived(line: string | undefined): Promise<boolean> {
    return line !== undefined && (await this.#post([line])).kind === 'received';
  }

  #finish(batch: SpooledBatch, maxLinesBefore: number): true {
    this.#patience = this.#nextPatience();
    this.#refused.quarantine(batch);
    this.#spool.remove(batch);
    // No 413 for this batch: larger requests may work again.
    if (this.#maxLines === maxLinesBefore) this.#maxLines = Math.min(maxLinesBefore * 2, this.#settings.batchRecords);
    return true;
  }

  /**
   * If others were received meanwhile, the refused records of a batch are bad and not the receiver: the next bad batch is
   * split at once. Otherwise a client that causes one bad record in each batch could delay all of them.
   */
  #nextPatience(): number {
    if (this.#refused.count === 0) return Math.min(maxRefusals, this.#patience + 1);
    return this.#receivedSome ? this.#patience : maxRefusals;
  }

  #reportFailure(reason: string): void {
    if (!this.#failures.recordFailure()) return;
    this.#settings.onTrouble(
      `countersign: ${this.#settings.url.host} took no audit records, ${this.#failures.timesText} now: ${reason}. ` +
        'They wait on disk; once the spool is full, more are refused.',
    );
  }

  #reportRecovery(failures: number): void {
    if (failures > 0) this.#settings.onTrouble(`countersign: ${this.#settings.url.host} takes audit records again.`);
  }

  /** Exponential, with jitter: the processes of a fleet must not retry in step. */
  #retryDelay(failures: number, error: unknown): number {
    const { maxRetryMilliseconds } = this.#settings;
    const delay = Math.min(maxRetryMilliseconds, firstRetryMilliseconds * 2 ** (failures - 1));
    const asked = error instanceof DeliveryPostponed ? error.retryAfterMilliseconds : 0;
    // The operator's maximum outranks Retry-After.
    return Math.max(delay * (0.5 + Math.random() / 2), Math.min(maxRetryMilliseconds, asked));
  }
}
