import { FailureThrottle, errorMessage } from '@countersign/common';
import type { CloudEventsSettings } from './cloud-events-options.js';
import type { Spool, SpooledBatch } from './spool.js';
import type { Failure, Treatment } from './treatment.js';
import { linesByWriter } from './writer.js';

/** Failures of a line alone until it is refused, if its answer hardly comes from a receiver that is half down. */
const maxFailures = 4;
/** The same for other answers: a receiver that is half down fails at random, or every second time. */
const maxFailuresOfOutage = 8;

/**
 * The records that the receiver refuses for good: those that fail alone several times, while it receives others
 * between any two of these. They are quarantined. If that fails they are dropped and counted, since they must not delay the
 * records that the receiver takes.
 */
export class RefusedRecords implements Treatment {
  readonly expectedFailures = 4;
  readonly keyOf = (line: string): string => line;
  readonly #spool: Spool;
  readonly #settings: CloudEventsSettings;
  readonly #onRefused: (lines: readonly string[]) => void;
  readonly #quarantines: FailureThrottle;
  readonly #drops: FailureThrottle;
  /** Refused lines of batches that wait, and the last answer to one. */
  readonly #refused = new Map<SpooledBatch, { readonly lines: readonly string[]; readonly reason: string }>();
  #dropped = 0;

  constructor(spool: Spool, settings: CloudEventsSettings, onRefused: (lines: readonly string[]) => void) {
    this.#spool = spool;
    this.#settings = settings;
    this.#onRefused = onRefused;
    this.#quarantines = new FailureThrottle(settings.clock);
    this.#drops = new FailureThrottle(settings.clock);
  }

  /** Lines of one writer side by side, those of small writers first: they are found with few requests. */
  divide(lines: readonly string[]): readonly (readonly string[])[] {
    const groups = [...linesByWriter(lines).values()].toSorted((one, other) => one.length - other.length);
    return groups.flat().map((line) => [line]);
  }

  isRefused({ answer }: Failure, failures: number): boolean {
    return answer.kind !== 'failed' || failures >= (answer.concernsContent ? maxFailures : maxFailuresOfOutage);
  }

  take(failures: readonly Failure[], batch: SpooledBatch): Promise<void> {
    const lines = failures.flatMap((failure) => failure.lines);
    const reason = failures.at(-1)?.answer.reason ?? '';
    this.#refused.set(batch, { lines: [...(this.#refused.get(batch)?.lines ?? []), ...lines], reason });
    this.#onRefused(lines);
    return Promise.resolve();
  }

  /** Call it when every record of the batch is received or refused, before the batch is removed. */
  finish(batch: SpooledBatch): void {
    const refused = this.#refused.get(batch);
    this.#refused.delete(batch);
    if (refused === undefined) {
      // Recovery is inferred from batches without a refusal.
      this.#quarantines.recordSuccess();
      this.#drops.recordSuccess();
      return;
    }
    const { url } = this.#settings;
    const message = `countersign: ${url.host} refuses ${refused.lines.length} audit records for good (${refused.reason})`;
    try {
      this.#reportQuarantine(message, this.#spool.quarantine(batch, refused.lines));
    } catch (error) {
      this.#dropped += refused.lines.length;
      this.#reportDrop(message, error);
    }
  }

  #reportQuarantine(refusal: string, path: string): void {
    if (!this.#quarantines.recordFailure()) return;
    this.#settings.onTrouble(
      `${refusal}. They were put aside as ${path}, and those beside them are sent. Nobody removes that file but you.`,
    );
  }

  #reportDrop(refusal: string, error: unknown): void {
    if (!this.#drops.recordFailure()) return;
    this.#settings.onTrouble(
      `${refusal}, and they cannot be put aside (${errorMessage(error)}). They are dropped, ${this.#dropped} so far; ` +
        'those beside them are sent.',
    );
  }
}
