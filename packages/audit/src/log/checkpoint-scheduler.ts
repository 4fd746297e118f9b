import { FailureThrottle, errorMessage } from '@countersign/common';
import type { AuditFileSettings } from './audit-file-options.js';
import type { LogWriter } from './log-writer.js';
import { WitnessQueue } from '../witnesses/witness-queue.js';

const witnessTimeoutSeconds = 10;

/** Makes checkpoints after enough records or time, and sends them to the witnesses. Its failures refuse no record. */
export class CheckpointScheduler {
  readonly #log: LogWriter;
  readonly #settings: AuditFileSettings;
  readonly #witnesses: readonly WitnessQueue[];
  readonly #failures: FailureThrottle;
  #due: () => void = () => {};
  #timer: NodeJS.Timeout | undefined;

  constructor(log: LogWriter, settings: AuditFileSettings) {
    this.#log = log;
    this.#settings = settings;
    const { witnesses, onTrouble, clock } = settings;
    this.#failures = new FailureThrottle(clock);
    this.#witnesses = witnesses.map((witness) => new WitnessQueue(witness, onTrouble, clock));
    log.onCheckpoint((note) => {
      for (const witness of this.#witnesses) witness.enqueue(note);
    });
  }

  /** Called when a checkpoint is due and no record arrives to trigger it. */
  onDue(due: () => void): void {
    this.#due = due;
  }

  /** Call it after each batch. */
  async afterBatch(isDue: boolean): Promise<void> {
    const { unsealed } = this.#log;
    if (unsealed > 0 && (isDue || unsealed >= this.#settings.checkpointRecords)) await this.#seal();
    // Also after a failure: there may be no further record to retry with.
    if (this.#log.unsealed > 0) this.#timer ??= this.#startTimer();
  }

  /** Absent without witnesses. */
  backlog(): { readonly unwitnessed?: number } {
    if (this.#witnesses.length === 0) return {};
    const witnessed = Math.min(...this.#witnesses.map(({ size }) => size));
    return { unwitnessed: Math.max(0, this.#log.size - witnessed) };
  }

  /** Makes the last checkpoint. */
  async close(): Promise<void> {
    this.#stopTimer();
    if (this.#log.unsealed > 0) await this.#seal();
    this.#reportRecovery(this.#failures.flush());
    await this.#log.makeDurable().catch(() => {});
    this.#log.close();
  }

  /** Waits a bounded time until the witnesses have the last checkpoint. */
  async closeWitnesses(): Promise<void> {
    await Promise.all(this.#witnesses.map((witness) => witness.close(witnessTimeoutSeconds)));
  }

  async #seal(): Promise<void> {
    this.#stopTimer();
    try {
      await this.#log.checkpoint();
      this.#reportRecovery(this.#failures.recordSuccess());
    } catch (error) {
      if (!this.#failures.recordFailure()) return;
      this.#settings.onTrouble(
        `countersign: the audit log could not be sealed, ${this.#failures.timesText} now: ${errorMessage(error)}`,
      );
    }
  }

  #reportRecovery(failures: number): void {
    if (failures > 0) this.#settings.onTrouble('countersign: the audit log is sealed again.');
  }

  #startTimer(): NodeJS.Timeout {
    // Must not keep the process alive: close() makes a checkpoint too.
    return setTimeout(() => {
      this.#timer = undefined;
      this.#due();
    }, this.#settings.checkpointSeconds * 1000).unref();
  }

  #stopTimer(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
