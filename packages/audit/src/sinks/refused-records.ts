import { FailureThrottle, errorMessage } from '@countersign/common';
import type { Failure, Treatment } from './batch-queue.js';
import type { CloudEventsSettings } from './cloud-events-options.js';
import type { Receiver } from './receiver.js';
import type { Spool, SpooledBatch } from './spool.js';

/** Failures of a line alone until it is refused, if its answer hardly comes from a receiver that is half down. */
const maxFailures = 4;
/** The same for other answers: a receiver that is half down fails at random, or every second time. */
const maxFailuresOfOutage = 8;

/**
 * The records of one batch that the receiver refuses for good: those that fail alone several times, while it receives others
 * between any two of these. They are quarantined. If that fails they are dropped and counted, since they must not delay the
 * records that the receiver takes.
 */
export class RefusedRecords implements Treatment {
  readonly expectedFailures = 4;
  readonly #spool: Spool;
  readonly #settings: CloudEventsSettings;
  readonly #receiver: Receiver;
  readonly #quarantines: FailureThrottle;
  readonly #drops: FailureThrottle;
  /** How often a line of the batch failed alone, and how many receipts there were at the last time. */
  readonly #failures = new Map<string, { readonly count: number; readonly receipts: number }>();
  #lines: string[] = [];
  #reason = '';
  #dropped = 0;

  constructor(spool: Spool, settings: CloudEventsSettings, receiver: Receiver) {
    this.#spool = spool;
    this.#settings = settings;
    this.#receiver = receiver;
    this.#quarantines = new FailureThrottle(settings.clock);
    this.#drops = new FailureThrottle(settings.clock);
  }

  divide(lines: readonly string[]): readonly (readonly string[])[] {
    return lines.map((line) => [line]);
  }

  take(failures: readonly Failure[]): Promise<readonly string[]> {
    const refused = failures.filter((failure) => this.#isRefused(failure));
    for (const { lines, answer } of refused) {
      this.#lines.push(...lines);
      this.#reason = answer.reason;
    }
    return Promise.resolve(refused.flatMap(({ lines }) => lines));
  }

  #isRefused({ lines: [line = ''], answer }: Failure): boolean {
    if (answer.kind !== 'failed') return true;
    const { receipts } = this.#receiver;
    const before = this.#failures.get(line);
    const count = before?.receipts === receipts ? before.count : (before?.count ?? 0) + 1;
    this.#failures.set(line, { count, receipts });
    return count >= (answer.concernsContent ? maxFailures : maxFailuresOfOutage);
  }

  /** Call it when every record of the batch is received or refused, before the batch is removed. */
  finish(batch: SpooledBatch): void {
    this.#failures.clear();
    if (this.#lines.length === 0) {
      // Recovery is inferred from batches without a refusal.
      this.#quarantines.recordSuccess();
      this.#drops.recordSuccess();
      return;
    }
    try {
      this.#reportQuarantine(this.#spool.quarantine(batch, this.#lines));
    } catch (error) {
      this.#reportDrop(error);
    }
    this.#lines = [];
  }

  #reportQuarantine(path: string): void {
    if (!this.#quarantines.recordFailure()) return;
    const { url, onTrouble } = this.#settings;
    onTrouble(
      `countersign: ${url.host} refuses ${this.#lines.length} audit records for good (${this.#reason}). They were put ` +
        `aside as ${path}, and those beside them are sent. Nobody removes that file but you.`,
    );
  }

  #reportDrop(error: unknown): void {
    this.#dropped += this.#lines.length;
    if (!this.#drops.recordFailure()) return;
    const { url, onTrouble } = this.#settings;
    onTrouble(
      `countersign: ${url.host} refuses ${this.#lines.length} audit records for good (${this.#reason}), and they cannot ` +
        `be put aside (${errorMessage(error)}). They are dropped, ${this.#dropped} so far; those beside them are sent.`,
    );
  }
}
