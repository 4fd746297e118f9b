import { BatchQueue, type Failure, type Pause, type Treatment } from './batch-queue.js';
import type { CloudEventsSettings } from './cloud-events-options.js';
import { Receiver } from './receiver.js';
import { RefusedRecords } from './refused-records.js';
import type { Spool } from './spool.js';
import { linesByWriter, writerOf } from './writer.js';

/** How long a writer's records are not sent with those of others, after they failed. */
const doubtMilliseconds = 60_000;

/**
 * Sends what waits in two queues, so that what one writer causes delays no other. If a batch fails while the receiver takes
 * other records, the records of the writers that fail move to the second queue, where they are retried and at last
 * quarantined, however long that takes: a firewall before the receiver may answer 403 to what somebody writes into paths.
 * Strangers are one writer.
 */
export class Delivery {
  readonly #delayed: Spool;
  readonly #settings: CloudEventsSettings;
  readonly #receiver: Receiver;
  readonly #firstQueue: BatchQueue;
  readonly #delayedQueue: BatchQueue;
  /** When records of a writer failed. */
  readonly #doubted = new Map<string, number>();
  #isMoving = false;

  /** `onDrained` is called when no batch of `spool` waits any more. */
  constructor(spool: Spool, delayed: Spool, settings: CloudEventsSettings, pause: Pause, onDrained: () => void) {
    this.#delayed = delayed;
    this.#settings = settings;
    this.#receiver = new Receiver(settings);
    const separation: Treatment = {
      expectedFailures: 0,
      begin: (lines) => this.#moveDoubted(lines),
      divide: (lines) => [...linesByWriter(lines).values()],
      take: (failures) => this.#takeFailures(failures),
    };
    const refused = new RefusedRecords(delayed, settings, this.#receiver);
    this.#firstQueue = new BatchQueue(spool, this.#receiver, settings, pause, separation, onDrained);
    this.#delayedQueue = new BatchQueue(delayed, this.#receiver, settings, pause, refused, () => this.#sendMoved());
  }

  /** Call it when a batch may be ready. */
  wake(): void {
    this.#firstQueue.wake();
    this.#delayedQueue.wake();
  }

  /** Sends the rest until an attempt of each queue fails or one timeout has passed. What is left waits for the next start. */
  async close(): Promise<void> {
    this.#receiver.close();
    await this.#firstQueue.close();
    this.#delayed.seal();
    await this.#delayedQueue.close();
    this.#receiver.flushReports();
  }

  /** Whether a line would wait in the second queue: records of its writer failed within the last minute. */
  delays(line: string): boolean {
    if (this.#doubted.size === 0) return false;
    const since = this.#doubted.get(writerOf(line)) ?? -Infinity;
    // The clock may have been set back.
    return Math.abs(this.#settings.clock() - since) < doubtMilliseconds;
  }

  async #moveDoubted(lines: readonly string[]): Promise<readonly string[]> {
    const doubted = lines.filter((line) => this.delays(line));
    await this.#move(doubted);
    return doubted;
  }

  async #takeFailures(failures: readonly Failure[]): Promise<readonly string[]> {
    const lines = failures.flatMap((failure) => failure.lines);
    await this.#move(lines);
    const now = this.#settings.clock();
    for (const line of lines) this.#doubted.set(writerOf(line), now);
    return lines;
  }

  /** Durable before the lines leave their batch: after a crash they may be in both queues, and are sent twice. */
  async #move(lines: readonly string[]): Promise<void> {
    if (lines.length === 0) return;
    this.#isMoving = true;
    try {
      await this.#delayed.append(lines);
    } finally {
      this.#isMoving = false;
    }
    this.#sendMoved();
  }

  /** While older batches wait, the open one grows. */
  #sendMoved(): void {
    if (this.#isMoving) return;
    if (this.#delayed.oldest === undefined) this.#delayed.seal();
    if (this.#delayed.oldest === undefined) this.#doubted.clear();
    this.#delayedQueue.wake();
  }
}
