import { reasonOf } from '@countersign/common';
import type { CloudEventsSettings } from './cloud-events-options.js';
import { controlsOf } from './controls.js';
import { DeliveryPostponed, type FailedAnswer, isBusy, isRefusal, retryDelay } from './delivery-postponed.js';
import { FailedParts } from './failed-parts.js';
import { halves } from './lists.js';
import type { Receiver } from './receiver.js';
import { readBatch, type Spool, type SpooledBatch } from './spool.js';
import { Stops } from './stops.js';
import type { Failure, Treatment } from './treatment.js';

/** Waits; ends early when the signal aborts. A test passes its own. */
export type Pause = (milliseconds: number, signal: AbortSignal) => Promise<void>;

/** Refusals for good (400) in a row before one counts without a control: the receiver may be in the middle of an upgrade. */
const maxRefusals = 5;
/**
 * Sends the batches of a spool, oldest first, and retries each until all its lines are received or dealt with. One that has
 * to wait delays no other. An outage is no reason to give up a record: only while the receiver takes others are the lines
 * searched that it does not.
 */
export class BatchQueue {
  readonly #spool: Spool;
  readonly #receiver: Receiver;
  readonly #settings: CloudEventsSettings;
  readonly #pause: Pause;
  readonly #treatment: Treatment;
  readonly #onIdle: () => void;
  #working: Promise<void> | undefined;
  /** Most lines in one request; lowered by a 413. */
  #maxLines: number;
  /** Lines of waiting batches that need not be sent: received, also as a control, or dealt with. */
  readonly #settled = new Set<string>();
  readonly #failed: FailedParts;
  /** Batches that wait for another attempt, with the number of refusals for good in a row. */
  readonly #refusals = new Map<SpooledBatch, number>();
  /** Receipts at the last failed attempt. */
  #receiptsBefore = 0;
  /** Whether the last pass ended early: in an outage. */
  #isHeldUp = false;
  readonly #stops = new Stops();

  /** `onIdle` is called when no batch waits that was not tried, unless in an outage. */
  constructor(
    spool: Spool,
    receiver: Receiver,
    settings: CloudEventsSettings,
    pause: Pause,
    treatment: Treatment,
    onIdle: () => void,
  ) {
    this.#spool = spool;
    this.#receiver = receiver;
    this.#settings = settings;
    this.#pause = pause;
    this.#treatment = treatment;
    this.#failed = new FailedParts(treatment.keyOf);
    this.#onIdle = onIdle;
    this.#maxLines = settings.batchRecords;
  }

  get isIdle(): boolean {
    const { length } = this.#spool.sealed;
    return this.#isHeldUp ? this.#stops.needOther(length) : length === this.#refusals.size;
  }

  wake(): void {
    if (this.#spool.oldest !== undefined) this.#working ??= this.#work();
  }

  async close(): Promise<void> {
    this.wake();
    await this.#working;
  }

  async #work(): Promise<void> {
    let failures = 0;
    let { receipts } = this.#receiver;
    while (this.#spool.oldest !== undefined && !this.#receiver.isClosed) {
      const error = await this.#pass();
      if (error === undefined) continue;
      // A receiver that took anything meanwhile is not down.
      failures = this.#isHeldUp && this.#receiver.receipts === receipts ? failures + 1 : 1;
      receipts = this.#receiver.receipts;
      if (failures > this.#treatment.expectedFailures) this.#receiver.reportFailure(reasonOf(error));
      if (this.#receiver.closing.aborted) break;
      const milliseconds = retryDelay(failures, error, this.#settings.maxRetryMilliseconds);
      const pause = this.#pause(milliseconds, this.#receiver.closing);
      if (isBusy(error)) this.#receiver.hold(pause);
      await pause;
    }
    this.#working = undefined;
    if (this.#spool.oldest === undefined) this.#onIdle();
  }

  /** Tries each batch once, until nothing is received between two failures. Resolves to the last error. */
  async #pass(): Promise<unknown> {
    let lastError: unknown;
    let { receipts } = this.#receiver;
    const tried = new Set<SpooledBatch>();
    for (let batch = this.#next(tried); batch !== undefined; batch = this.#next(tried)) {
      if (this.#receiver.isClosed) break;
      tried.add(batch);
      const error = await this.#tryBatch(batch);
      this.#isHeldUp &&= error !== undefined;
      if (error === undefined) continue;
      lastError = error;
      this.#receiptsBefore = this.#receiver.receipts;
      const isOutage =
        error instanceof DeliveryPostponed && !error.isReceiverUp && this.#receiver.receipts === receipts;
      this.#isHeldUp = isOutage || isBusy(error);
      this.#stops.note(batch, this.#isHeldUp);
      if (this.#isHeldUp) return error;
      receipts = this.#receiver.receipts;
    }
    this.#isHeldUp = false;
    return lastError;
  }

  /** The oldest batch, and then in turn one that was never tried and an older one; last those that may be the cause. */
  #next(tried: ReadonlySet<SpooledBatch>): SpooledBatch | undefined {
    const { sealed } = this.#spool;
    if (tried.size > 0 && this.isIdle) this.#onIdle();
    const isOpen = (batch: SpooledBatch): boolean => !tried.has(batch) && !this.#stops.has(batch);
    const isNew = (batch: SpooledBatch): boolean => isOpen(batch) && !this.#refusals.has(batch);
    const untried = tried.size % 2 === 1 && this.#refusals.size < sealed.length ? sealed.find(isNew) : undefined;
    return untried ?? sealed.find(isOpen) ?? this.#stops.next(tried);
  }

  /** Resolves to the error if the batch has to wait. */
  async #tryBatch(batch: SpooledBatch): Promise<unknown> {
    try {
      const maxLines = this.#maxLines;
      const lines = await this.#begin(batch);
      await this.#deliver(batch, lines);
      this.#treatment.finish?.(batch);
      this.#spool.remove(batch);
      for (const line of lines) this.#settled.delete(line);
      this.#refusals.delete(batch);
      this.#stops.delete(batch);
      this.#failed.forget(lines, this.#refusals.size === 0);
      // No 413 for this batch: larger requests may work again.
      if (this.#maxLines === maxLines) this.#maxLines = Math.min(maxLines * 2, this.#settings.batchRecords);
      return undefined;
    } catch (error) {
      this.#refusals.set(batch, isRefusal(error) ? (this.#refusals.get(batch) ?? 0) + 1 : 0);
      return error;
    }
  }

  async #begin(batch: SpooledBatch): Promise<readonly string[]> {
    const lines = readBatch(batch);
    if (lines === undefined) this.#settings.onTrouble(`countersign: ${batch.path} was removed before it was sent.`);
    this.#settle((await this.#treatment.begin?.(this.#unsettled(lines ?? []))) ?? []);
    return lines ?? [];
  }

  async #deliver(batch: SpooledBatch, lines: readonly string[]): Promise<void> {
    const fits = this.#unsettled(lines).length <= this.#maxLines;
    if (fits && (await this.#send(batch, this.#unsettled(lines))) === 'settled') return;
    let postponed: unknown;
    for (const half of halves(this.#unsettled(lines))) {
      try {
        await this.#deliver(batch, half);
      } catch (error) {
        if (error instanceof DeliveryPostponed && !error.isReceiverUp) throw error;
        postponed = error;
      }
    }
    if (postponed !== undefined) throw postponed;
  }

  /** Sends the parts that did not fail alone yet together, and each of the others alone. */
  async #send(batch: SpooledBatch, lines: readonly string[]): Promise<'settled' | 'split'> {
    const parts = this.#treatment.divide(lines);
    const others = parts.filter((part) => !this.#failed.has(part));
    const failures: Failure[] = [];
    let isUp = false;
    let last: FailedAnswer | undefined;
    for (const group of [others, ...this.#failed.leastRecent(parts).map((part) => [part])]) {
      if (group.length === 0) continue;
      const answer = await this.#post(group.flat());
      if (answer.kind === 'received') continue;
      if (answer.kind === 'too_large' && group === others && group.flat().length > 1) {
        this.#maxLines = Math.ceil(group.flat().length / 2);
        return 'split';
      }
      last = answer;
      isUp ||= await this.#isReceiverUp(lines, !this.#refusals.has(batch));
      const isFinal = answer.kind !== 'failed' && (this.#refusals.get(batch) ?? 0) + 1 >= maxRefusals;
      if (!isUp && !isFinal) throw new DeliveryPostponed(answer, false);
      // Without the lines that were received as controls.
      const rest = group.map((part) => this.#unsettled(part)).filter((part) => part.length > 0);
      if (rest.length > 0) failures.push(...(await this.#search(rest, answer)));
    }
    const refused = failures.filter((each) => this.#treatment.isRefused(each, this.#failed.countOf(each.lines)));
    if (refused.length > 0) await this.#treatment.take(refused, batch);
    for (const { lines: part } of refused) {
      this.#settle(part);
      this.#failed.delete(part);
    }
    const rest = this.#unsettled(lines);
    if (rest.length === 0) return 'settled';
    if (last !== undefined) throw new DeliveryPostponed(last, isUp);
    return this.#send(batch, rest);
  }

  /** Finds the parts that fail alone, among some that failed together. */
  async #search(parts: readonly (readonly string[])[], answer: FailedAnswer): Promise<readonly Failure[]> {
    const [lines = []] = parts;
    if (parts.length <= 1) {
      this.#failed.count(lines, this.#receiver.receipts);
      return [{ lines, answer }];
    }
    const failures: Failure[] = [];
    for (const half of halves(parts)) {
      const next = await this.#post(half.flat());
      if (next.kind !== 'received') failures.push(...(await this.#search(half, next)));
    }
    return failures;
  }

  /** Whether anything was received since the last failed attempt; if not, or at the first one, tries a few lines. */
  async #isReceiverUp(failing: readonly string[], isFirst: boolean): Promise<boolean> {
    const before = isFirst ? this.#receiver.receipts : this.#receiptsBefore;
    if (this.#receiver.receipts === before) {
      const waiting = [...failing, ...this.#unsettled(this.#spool.sampleLines())];
      for (const line of controlsOf(failing, waiting, this.#failed))
        if ((await this.#post([line])).kind === 'received') break;
    }
    return this.#receiver.receipts !== before;
  }

  async #post(lines: readonly string[]): Promise<FailedAnswer | { readonly kind: 'received' }> {
    const answer = await this.#receiver.post(lines);
    if (answer.kind === 'busy') throw new DeliveryPostponed(answer, false);
    if (answer.kind === 'received') this.#settle(lines);
    else this.#failed.note(this.#receiver.receipts);
    return answer;
  }

  #settle(lines: readonly string[]): void {
    for (const line of lines) this.#settled.add(line);
  }

  #unsettled(lines: readonly string[]): readonly string[] {
    return lines.filter((line) => !this.#settled.has(line));
  }
}
