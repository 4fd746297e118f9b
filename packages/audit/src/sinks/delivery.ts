import { BatchQueue, type Pause } from './batch-queue.js';
import type { CloudEventsSettings } from './cloud-events-options.js';
import { Receiver } from './receiver.js';
import { RefusedRecords } from './refused-records.js';
import { readBatch, type Spool } from './spool.js';
import type { Failure, Treatment } from './treatment.js';
import { DelayedRecords, linesByWriter, writerOf } from './writer.js';

/** Failures of a writer's records alone until they move: one alone says little about them. */
const maxFailures = 2;

/**
 * Sends what waits in two queues, so that what one writer causes delays no other. If a batch fails while the receiver takes
 * other records, the records of the writers that fail move to the second queue, where they are retried and at last
 * quarantined, however long that takes: a firewall before the receiver may answer 403 to what somebody writes into paths.
 * Strangers are one writer.
 */
export class Delivery {
  readonly #delayed: Spool;
  readonly #receiver: Receiver;
  readonly #firstQueue: BatchQueue;
  readonly #delayedQueue: BatchQueue;
  readonly #records = new DelayedRecords();
  #isMoving = false;

  /** `onIdle` is called when every batch of `spool` was tried, and the receiver works. */
  constructor(spool: Spool, delayed: Spool, settings: CloudEventsSettings, pause: Pause, onIdle: () => void) {
    this.#delayed = delayed;
    for (const batch of delayed.sealed) this.#records.add(readBatch(batch) ?? []);
    this.#receiver = new Receiver(settings, (lines) => this.#records.remove(lines));
    const separation: Treatment = {
      expectedFailures: 0,
      begin: (lines) => this.#moveDelayed(lines),
      // Over all batches: a search takes a timeout for each of its steps, and batches may come faster.
      keyOf: writerOf,
      divide: (lines) => [...linesByWriter(lines).values()],
      isRefused: ({ answer }, failures) => answer.kind !== 'failed' || failures >= maxFailures,
      take: (failures) => this.#takeFailures(failures),
    };
    const refused = new RefusedRecords(delayed, settings, (lines) => this.#records.remove(lines));
    this.#firstQueue = new BatchQueue(spool, this.#receiver, settings, pause, separation, onIdle);
    this.#delayedQueue = new BatchQueue(delayed, this.#receiver, settings, pause, refused, () => this.#sendMoved());
  }

  /** Call it when a batch may be ready. */
  wake(): void {
    this.#firstQueue.wake();
    this.#delayedQueue.wake();
  }

  /** Whether the first queue has nothing else to try: an incomplete batch may be closed. */
  get isIdle(): boolean {
    return this.#firstQueue.isIdle;
  }

  /** Sends the rest until an attempt of each queue fails or one timeout has passed. What is left waits for the next start. */
  async close(): Promise<void> {
    this.#receiver.close();
    await this.#firstQueue.close();
    this.#delayed.seal();
    await this.#delayedQueue.close();
    this.#receiver.flushReports();
  }

  /** Bytes of records that the writer of a line has waiting, if the line will join them in the second queue. */
  delayedBytes(line: string): number | undefined {
    return this.#records.bytesBeside(line);
  }

  /** Counts a line that joins them. Undone by the returned function, if it is not kept. */
  delay(line: string): () => void {
    this.#records.add([line]);
    return () => this.#records.remove([line]);
  }

  async #moveDelayed(lines: readonly string[]): Promise<readonly string[]> {
    const delayed = lines.filter((line) => this.delayedBytes(line) !== undefined);
    try {
      await this.#move(delayed);
    } catch {
      // On a full disk: they are sent with the others, since that frees space.
      return [];
    }
    return delayed;
  }

  async #takeFailures(failures: readonly Failure[]): Promise<void> {
    const lines = failures.flatMap((failure) => failure.lines);
    // First: the second queue may send a line as a control before its move has ended.
    this.#records.addFailed(lines);
    await this.#move(lines);
  }

  /** Durable before the lines leave their batch: after a crash they may be in both queues, and are sent twice. */
  async #move(lines: readonly string[]): Promise<void> {
    if (lines.length === 0) return;
    this.#isMoving = true;
    this.#records.add(lines);
    try {
      await this.#delayed.append(lines);
    } finally {
      this.#isMoving = false;
    }
    this.#sendMoved();
  }

  /** While batches wait that were not tried, the open one grows. */
  #sendMoved(): void {
    if (this.#isMoving) return;
    if (this.#delayedQueue.isIdle) this.#delayed.seal();
    if (this.#delayed.oldest === undefined) this.#records.clear();
    this.#delayedQueue.wake();
  }
}
