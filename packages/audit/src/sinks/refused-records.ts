import { FailureThrottle, errorMessage } from '@countersign/common';
import type { CloudEventsSettings } from './cloud-events-options.js';
import type { Spool, SpooledBatch } from './spool.js';

/**
 * The records of one batch that the receiver refuses for good. They are quarantined. If that fails they are dropped and
 * counted, since they must not delay the records that the receiver takes.
 */
export class RefusedRecords {
  readonly #spool: Spool;
  readonly #settings: CloudEventsSettings;
  readonly #quarantines: FailureThrottle;
  readonly #drops: FailureThrottle;
  #lines: string[] = [];
  #reason = '';
  #dropped = 0;

  constructor(spool: Spool, settings: CloudEventsSettings) {
    this.#spool = spool;
    this.#settings = settings;
    this.#quarantines = new FailureThrottle(settings.clock);
    this.#drops = new FailureThrottle(settings.clock);
  }

  /** Refused records of the current batch. */
  get count(): number {
    return this.#lines.length;
  }

  add(line: string, reason: string): void {
    this.#lines.push(line);
    this.#reason = reason;
  }

  /** Call it when every record of the batch is settled, before the batch is removed. */
  quarantine(batch: SpooledBatch): void {
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
