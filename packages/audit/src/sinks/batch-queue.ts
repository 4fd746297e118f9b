import { reasonOf } from '@countersign/common';
import type { CloudEventsSettings } from './cloud-events-options.js';
import type { Answer } from './post-events.js';
import type { Receiver } from './receiver.js';
import { readBatch, type Spool, type SpooledBatch } from './spool.js';
import { linesByWriter } from './writer.js';

/** Waits; ends early when the signal aborts. A test passes its own. */
export type Pause = (milliseconds: number, signal: AbortSignal) => Promise<void>;

const firstRetryMilliseconds = 1000;
/** Attempts before a refusal for good (400) counts without a control: the receiver may be in the middle of an upgrade. */
const maxRefusals = 5;
/** Most controls for each attempt: an outage costs no more requests. */
const maxControls = 5;

/** Lines that were sent together, and not with others, and failed. */
export interface Failure {
  readonly lines: readonly string[];
  readonly answer: Exclude<Answer, { kind: 'received' }>;
}

/** What a queue does with lines that fail while the receiver takes others. */
export interface Treatment {
  /** Failed attempts in a row that are not reported, while nothing is received. */
  readonly expectedFailures: number;
  /** Called before a batch is sent. Resolves to the lines that are already dealt with. */
  begin?(lines: readonly string[]): Promise<readonly string[]>;
  /** The parts of which those that fail are found. */
  divide(lines: readonly string[]): readonly (readonly string[])[];
  /** Resolves to the lines that are dealt with; the others are sent again. */
  take(failures: readonly Failure[]): Promise<readonly string[]>;
  /** Called before a batch is removed. */
  finish?(batch: SpooledBatch): void;
}

/** The receiver did not take the records, and may take them later. */
class DeliveryPostponed extends Error {
  readonly retryAfterMilliseconds: number;

  constructor(answer: Failure['answer']) {
    super(answer.reason);
    this.retryAfterMilliseconds = answer.kind === 'failed' ? answer.afterMilliseconds : 0;
  }
}

/**
 * Sends the batches of a spool in order, oldest first, and retries each until all its lines are received or dealt with. An
 * outage is no reason to give up a record: only while the receiver takes others are the lines searched that it does not.
 */
export class BatchQueue {
  readonly #spool: Spool;
  readonly #receiver: Receiver;
  readonly #settings: CloudEventsSettings;
  readonly #pause: Pause;
  readonly #treatment: Treatment;
  readonly #onDrained: () => void;
  #working: Promise<void> | undefined;
  /** Most lines in one request; lowered by a 413. */
  #maxLines: number;
  /** Lines of waiting batches that need not be sent: received, also as a control, or dealt with. */
  readonly #settled = new Set<string>();
  /** Lines of the batch that failed alone, or the first of such a part. */
  readonly #failed = new Set<string>();
  /** Receipts when it was last known whether the receiver works. */
  #receiptsBefore = 0;

  /** `onDrained` is called when no batch waits any more. */
  constructor(
    spool: Spool,
    receiver: Receiver,
    settings: CloudEventsSettings,
    pause: Pause,
    treatment: Treatment,
    onDrained: () => void,
  ) {
    this.#spool = spool;
    this.#receiver = receiver;
    this.#settings = settings;
    this.#pause = pause;
    this.#treatment = treatment;
    this.#onDrained = onDrained;
    this.#maxLines = settings.batchRecords;
  }

  /** Call it when a batch may be ready. */
  wake(): void {
    if (this.#spool.oldest !== undefined) this.#working ??= this.#work();
  }

  /** Once the receiver is closed: sends the rest until an attempt fails. */
  async close(): Promise<void> {
    this.wake();
    await this.#working;
  }

  async #work(): Promise<void> {
    for (let batch = this.#spool.oldest; batch !== undefined; batch = this.#spool.oldest) {
      if (!(await this.#deliverBatch(batch))) break;
    }
    this.#working = undefined;
    if (this.#spool.oldest === undefined) this.#onDrained();
  }

  /** Resolves to false if the sink closes first; so does the one below. */
  async #deliverBatch(batch: SpooledBatch): Promise<boolean> {
    const lines = await this.#retry(() => this.#begin(batch));
    const maxLines = this.#maxLines;
    if (lines === undefined || !(await this.#deliver(lines))) return false;
    if ((await this.#retry(() => this.#finish(batch, maxLines))) !== true) return false;
    for (const line of lines) this.#settled.delete(line);
    this.#failed.clear();
    return true;
  }

  async #deliver(lines: readonly string[]): Promise<boolean> {
    const tooMany = lines.length > this.#maxLines;
    const result = tooMany ? 'split' : await this.#retry((attempts) => this.#send(lines, attempts));
    if (result !== 'split') return result === 'settled';
    const [first, second] = halves(lines);
    return (await this.#deliver(first)) && (await this.#deliver(second));
  }

  /** Repeats an attempt until it does not throw. Undefined if it still fails while the sink closes. */
  async #retry<Result>(attempt: (attempts: number) => Result | Promise<Result>): Promise<Result | undefined> {
    let failures = 0;
    let { receipts } = this.#receiver;
    for (let attempts = 1; !this.#receiver.isClosed; attempts++) {
      try {
        return await attempt(attempts);
      } catch (error) {
        // A receiver that took anything meanwhile is not down.
        failures = this.#receiver.receipts === receipts ? failures + 1 : 1;
        receipts = this.#receiver.receipts;
        if (failures > this.#treatment.expectedFailures) this.#receiver.reportFailure(reasonOf(error));
        if (this.#receiver.closing.aborted) break;
        await this.#pause(this.#retryDelay(failures, error), this.#receiver.closing);
      }
    }
    return undefined;
  }

  async #begin(batch: SpooledBatch): Promise<readonly string[]> {
    const lines = readBatch(batch);
    if (lines === undefined) this.#settings.onTrouble(`countersign: ${batch.path} was removed before it was sent.`);
    this.#settle((await this.#treatment.begin?.(this.#unsettled(lines ?? []))) ?? []);
    return lines ?? [];
  }

  async #send(all: readonly string[], attempts: number): Promise<'settled' | 'split'> {
    const lines = this.#unsettled(all);
    if (lines.length === 0) return 'settled';
    const answer = await this.#post(lines);
    if (answer.kind === 'received') return 'settled';
    if (answer.kind === 'too_large' && lines.length > 1) {
      this.#maxLines = Math.ceil(lines.length / 2);
      return 'split';
    }
    const postponed = new DeliveryPostponed(answer);
    if (attempts === 1) {
      this.#receiptsBefore = this.#receiver.receipts;
      throw postponed;
    }
    const isFinal = answer.kind !== 'failed' && attempts >= maxRefusals;
    if (!(await this.#isReceiverUp(lines)) && !isFinal) throw postponed;
    const failures = await this.#search(this.#treatment.divide(this.#unsettled(lines)), answer);
    this.#settle(await this.#treatment.take(failures));
    if (this.#unsettled(lines).length > 0) throw postponed;
    return 'settled';
  }

  /** Whether anything was received since the batch first failed, or this was last asked; if not, tries a few lines. */
  async #isReceiverUp(failing: readonly string[]): Promise<boolean> {
    const before = this.#receiptsBefore;
    if (this.#receiver.receipts === before) {
      for (const line of this.#controls(failing)) if ((await this.#post([line])).kind === 'received') break;
    }
    this.#receiptsBefore = this.#receiver.receipts;
    return this.#receiptsBefore !== before;
  }

  /** Waiting lines that may show that the receiver works: of as many writers as possible, since one may write only bad ones. */
  #controls(failing: readonly string[]): readonly string[] {
    const single = failing.length === 1 ? failing[0] : undefined;
    const all = shuffled([...failing, ...this.#unsettled(this.#spool.sampleLines())]);
    const candidates = all.filter((line) => line !== single && !this.#failed.has(line));
    const firsts = [...linesByWriter(candidates).values()].flatMap(([line]) => line ?? []);
    return [...new Set([...firsts, ...candidates])].slice(0, maxControls);
  }

  /** Finds the parts that fail alone, among some that failed together. */
  async #search(parts: readonly (readonly string[])[], answer: Failure['answer']): Promise<readonly Failure[]> {
    const [[first = ''] = []] = parts;
    if (parts.length <= 1) {
      this.#failed.add(first);
      return parts.map((lines) => ({ lines, answer }));
    }
    const failures: Failure[] = [];
    // Parts that failed alone before are sent alone at once: their halves would fail, too.
    const groups = this.#failed.has(first) ? parts.map((part) => [part]) : halves(parts);
    for (const group of groups) {
      const next = await this.#post(group.flat());
      if (next.kind !== 'received') failures.push(...(await this.#search(group, next)));
    }
    return failures;
  }

  async #post(lines: readonly string[]): Promise<Answer> {
    const answer = await this.#receiver.post(lines);
    if (answer.kind === 'received') this.#settle(lines);
    return answer;
  }

  #settle(lines: readonly string[]): void {
    for (const line of lines) this.#settled.add(line);
  }

  #unsettled(lines: readonly string[]): readonly string[] {
    return lines.filter((line) => !this.#settled.has(line));
  }

  #finish(batch: SpooledBatch, maxLinesBefore: number): true {
    this.#treatment.finish?.(batch);
    this.#spool.remove(batch);
    // No 413 for this batch: larger requests may work again.
    if (this.#maxLines === maxLinesBefore) this.#maxLines = Math.min(maxLinesBefore * 2, this.#settings.batchRecords);
    return true;
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

function halves<Item>(items: readonly Item[]): [readonly Item[], readonly Item[]] {
  const middle = Math.ceil(items.length / 2);
  return [items.slice(0, middle), items.slice(middle)];
}

function shuffled<Item>(items: readonly Item[]): readonly Item[] {
  const keyed = items.map((item) => ({ item, key: Math.random() }));
  return keyed.toSorted((one, other) => one.key - other.key).map(({ item }) => item);
}
