import { FailureThrottle, errorMessage } from '@countersign/common';
import type { AuditFileSettings } from './audit-file-options.js';
import type { LogWriter } from './log-writer.js';
import { WitnessQueue } from '../witnesses/witness.js';

const secondsForWitnesses = 10;

/** Seals a log now and then, and hands what it signed to the witnesses. Its failures refuse no record. */
export class LogKeeper {
  readonly #log: LogWriter;
  readonly #settings: AuditFileSettings;
  readonly #witnesses: readonly WitnessQueue[];
  readonly #trouble: FailureThrottle;
  #due: () => void = () => {};
  #timer: NodeJS.Timeout | undefined;

  constructor(log: LogWriter, settings: AuditFileSettings) {
    this.#log = log;
    this.#settings = settings;
    const { witnesses, onTrouble, clock } = settings;
    this.#trouble = new FailureThrottle(clock);
    this.#witnesses = witnesses.map((witness) => new WitnessQueue(witness, onTrouble, clock));
    log.onSealed((note) => {
      for (const witness of this.#witnesses) witness.hand(note);
    });
  }

  /** Who is called when a checkpoint is due though no record comes. */
  onDue(due: () => void): void {
    this.#due = due;
  }

  /** Call it after each batch. */
  async keep(isDue: boolean): Promise<void> {
    const { unsealed } = this.#log;
    if (unsealed > 0 && (isDue || unsealed >= this.#settings.checkpointRecords)) await this.#seal();
    // Also after a failure, though no record may come any more.
    if (this.#log.unsealed > 0) this.#timer ??= this.#startTimer();
  }

  /** Seals what is left. */
  async close(): Promise<void> {
    this.#stopTimer();
    if (this.#log.unsealed > 0) await this.#seal();
    this.#tellOver(this.#trouble.overAtLast());
    await this.#log.makeDurable().catch(() => {});
    this.#log.close();
  }

  /** Gives the witnesses the time to take the last checkpoint; but whoever closes does not wait for ever. */
  async witnesses(): Promise<void> {
    await Promise.all(this.#witnesses.map((witness) => witness.close(secondsForWitnesses)));
  }

  async #seal(): Promise<void> {
    this.#stopTimer();
    try {
      await this.#log.checkpoint();
      this.#tellOver(this.#trouble.over());
    } catch (error) {
      if (!this.#trouble.again()) return;
      this.#settings.onTrouble(
        `countersign: the audit log could not be sealed, ${this.#trouble.howOften} now: ${errorMessage(error)}`,
      );
    }
  }

  #tellOver(times: number): void {
    if (times > 0) this.#settings.onTrouble('countersign: the audit log is sealed again.');
  }

  #startTimer(): NodeJS.Timeout {
    // It must not keep the process alive: the log is sealed at close, too.
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
