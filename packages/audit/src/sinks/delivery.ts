import { FailureThrottle, reasonOf } from '@countersign/common';
import type { CloudEventsSettings } from './cloud-events-options.js';
import { RefusedRecords } from './refused-records.js';
import { SettledLines } from './settled-lines.js';
import { readBatch, type Spool, type SpooledBatch } from './spool.js';

/** Waits; ends early when the signal aborts. A test passes its own. */
export type Pause = (milliseconds: number, signal: AbortSignal) => Promise<void>;

const firstRetryMilliseconds = 1000;
/** Attempts before a refused batch is split: the receiver may be in the middle of an upgrade. */
const maxRefusals = 5;
/** Most suspects between two received lines: an outage between these costs no more. */
const maxSuspects = 10;

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
 * one bad record delays no others. So is a batch that fails otherwise while the receiver takes a control: a firewall
 * before the receiver may answer 403 to what somebody wrote into a path.
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
  readonly #lines: SettledLines;
  /** Answers for which a line was quarantined while the receiver took others. */
  readonly #blamed = new Set<string>();
  /** Lines of the batch that failed once with such an answer. They are quarantined if another is received next. */
  #suspects: { readonly line: string; readonly reason: string }[] = [];

  /** `onDrained` is called when no batch waits any more. */
  constructor(spool: Spool, settings: CloudEventsSettings, pause: Pause, onDrained: () => void) {
    this.#spool = spool;
    this.#settings = settings;
    this.#pause = pause;
    this.#onDrained = onDrained;
    this.#failures = new FailureThrottle(settings.clock);
    this.#refused = new RefusedRecords(spool, settings);
    const timeout = (): AbortSignal => this.#deadline ?? AbortSignal.timeout(settings.timeoutMilliseconds);
    this.#lines = new SettledLines(spool, settings, timeout);
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
    this.#lines.receivedSome = false;
    if (lines === undefined || !(await this.#deliver(lines))) return false;
    while (this.#suspects.length > 0) if (!(await this.#resolveSuspects())) return false;
    if ((await this.#retry(() => this.#finish(batch, maxLines))) !== true) return false;
    this.#lines.remove(lines);
    return true;
  }

  async #deliver(all: readonly string[]): Promise<boolean> {
    const lines = this.#lines.unsettled(all);
    if (lines.length === 0) return true;
    const tooMany = lines.length > this.#maxLines;
    const result = tooMany ? 'split' : await this.#retry((attempts) => this.#send(lines, attempts));
    if (result === 'settled') return this.#suspects.length < maxSuspects || this.#resolveSuspects();
    if (result === undefined) return false;
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
  async #send(all: readonly string[], attempts: number): Promise<'settled' | 'split'> {
    const lines = this.#lines.unsettled(all);
    if (lines.length === 0) return 'settled';
    const answer = await this.#lines.post(lines);
    if (answer.kind === 'received') {
      this.#reportRecovery(this.#failures.recordSuccess());
      this.#refuseSuspects();
      return 'settled';
    }
    if (answer.kind === 'too_large' && lines.length > 1) {
      this.#maxLines = Math.ceil(lines.length / 2);
      return 'split';
    }
    if (answer.kind === 'failed') {
      const [line = ''] = lines;
      if (lines.length === 1 && this.#blamed.has(answer.reason) && this.#lines.receivedLately) {
        this.#suspects.push({ line, reason: answer.reason });
        this.#lines.add(lines);
        return 'settled';
      }
      const postponed = new DeliveryPostponed(answer.reason, answer.afterMilliseconds);
      if (attempts < this.#patience || !(await this.#isContentToBlame(lines))) throw postponed;
      if (lines.length === 1 && answer.concernsContent) this.#blamed.add(answer.reason);
      this.#patience = 0;
    }
    this.#patience = Math.max(0, this.#patience - 1);
    if (this.#patience > 0) throw new DeliveryPostponed(answer.reason);
    if (lines.length > 1) return 'split';
    for (const line of lines) this.#refused.add(line, answer.reason);
    this.#lines.add(lines);
    return 'settled';
  }

  /** Whether lines failed because of what they hold. Splitting them loses nothing. */
  async #isContentToBlame(lines: readonly string[]): Promise<boolean> {
    const [line = ''] = lines;
    if (lines.length > 1) return this.#patience === 0 || (await this.#lines.findControl(lines));
    const isToBlame = await this.#lines.isToBlame(line);
    if (!isToBlame) this.#suspectOutage();
    return isToBlame;
  }

  /** Sends the suspects again unless the receiver takes a control after them. */
  async #resolveSuspects(): Promise<boolean> {
    if ((await this.#retry(() => this.#lines.findControl([]))) === true) {
      this.#refuseSuspects();
      return true;
    }
    this.#suspectOutage();
    const lines = this.#suspects.splice(0).map(({ line }) => line);
    this.#lines.remove(lines);
    return this.#deliver(lines);
  }

  #refuseSuspects(): void {
    for (const { line, reason } of this.#suspects.splice(0)) this.#refused.add(line, reason);
  }

  /** The receiver took no control, or at last the line: what fails next says nothing about its content. */
  #suspectOutage(): void {
    this.#patience = maxRefusals;
    this.#blamed.clear();
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
    return this.#lines.receivedSome ? this.#patience : maxRefusals;
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
