import { FailureThrottle, errorMessage } from '@countersign/common';
import type { CloudEventsSettings } from './cloud-events-options.js';
import type { Spool, SpooledBatch } from './spool.js';

/**
 * Of one batch after the other, what the receiver refuses for good. It is put aside; where that cannot be done it is
 * dropped and counted, since it must not hold up those that the receiver takes.
 */
export class RefusedRecords {
  readonly #spool: Spool;
  readonly #settings: CloudEventsSettings;
  readonly #aside: FailureThrottle;
  readonly #notAside: FailureThrottle;
  #lines: string[] = [];
  #reason = '';
  #dropped = 0;

  constructor(spool: Spool, settings: CloudEventsSettings) {
    this.#spool = spool;
    this.#settings = settings;
    this.#aside = new FailureThrottle(settings.clock);
    this.#notAside = new FailureThrottle(settings.clock);
  }

  /** How many there are of this batch. */
  get count(): number {
    return this.#lines.length;
  }

  add(line: string, reason: string): void {
    this.#lines.push(line);
    this.#reason = reason;
  }

  /** Call it when the batch is done with, before it is removed. */
  keep(batch: SpooledBatch): void {
    if (this.#lines.length === 0) {
      // Nobody says that it is over, but a while without it does.
      this.#aside.over();
      this.#notAside.over();
      return;
    }
    try {
      this.#tellAside(this.#spool.putAside(batch, this.#lines));
    } catch (error) {
      this.#tellDropped(error);
    }
    this.#lines = [];
  }

  #tellAside(path: string): void {
    if (!this.#aside.again()) return;
    const { url, onTrouble } = this.#settings;
    onTrouble(
      `countersign: ${url.host} refuses ${this.#lines.length} audit records for good (${this.#reason}). They were put ` +
        `aside as ${path}, and those beside them are sent. Nobody removes that file but you.`,
    );
  }

  #tellDropped(error: unknown): void {
    this.#dropped += this.#lines.length;
    if (!this.#notAside.again()) return;
    const { url, onTrouble } = this.#settings;
    onTrouble(
      `countersign: ${url.host} refuses ${this.#lines.length} audit records for good (${this.#reason}), and they cannot ` +
        `be put aside (${errorMessage(error)}). They are dropped, ${this.#dropped} so far; those beside them are sent.`,
    );
  }
}
