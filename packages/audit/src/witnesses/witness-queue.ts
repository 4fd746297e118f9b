import { FailureThrottle, errorMessage, withTimeout } from '@countersign/common';
import type { CheckpointWitness } from './witness.js';

/** Longer than any `timeoutSeconds` of ours, so that only a witness that never answers is abandoned. */
const longestReceiptSeconds = 600;
/** A quiet log makes no further checkpoint that would bring the witness up to date. */
const retrySeconds = 30;

/**
 * Sends checkpoints to one witness, one at a time. The log never waits for it. While the witness is busy only the latest
 * checkpoint is kept for it: that one covers all before. Failures are counted and reported.
 */
export class WitnessQueue {
  readonly #witness: CheckpointWitness;
  readonly #onTrouble: (message: string) => void;
  readonly #failures: FailureThrottle;
  #next: string | undefined;
  #working: Promise<void> | undefined;
  #retry: NodeJS.Timeout | undefined;
  #sentAt = 0;
  /** Incremented when a call is abandoned, so that its worker stops. */
  #generation = 0;
  #size = 0;

  constructor(witness: CheckpointWitness, onTrouble: (message: string) => void, clock: () => number) {
    this.#witness = witness;
    this.#onTrouble = onTrouble;
    this.#failures = new FailureThrottle(clock);
  }

  /** Number of records that the last checkpoint covers which the witness took; 0 since the start. */
  get size(): number {
    return this.#size;
  }

  enqueue(note: string): void {
    this.#next = note;
    const isOverdue = performance.now() - this.#sentAt > longestReceiptSeconds * 1000;
    if (this.#working !== undefined && isOverdue) this.#abandon();
    this.#begin();
  }

  /** Waits for the last checkpoint, but not longer than the timeout; a timeout is reported. */
  async close(timeoutSeconds: number): Promise<void> {
    if (this.#next !== undefined) this.#begin();
    if (this.#working !== undefined) {
      await withTimeout(timeoutSeconds * 1000, this.#working, () => {
        this.#onTrouble(
          `countersign: the witness ${this.#witness.name} did not take the last checkpoint within ${timeoutSeconds} s ` +
            'of the close. The end of the log can be cut off without a trace until it takes one.',
        );
      });
    }
    clearTimeout(this.#retry);
    this.#reportRecovery(this.#failures.flush());
  }

  #begin(): void {
    clearTimeout(this.#retry);
    this.#working ??= this.#work(this.#generation);
  }

  async #work(generation: number): Promise<void> {
    let isTaken = true;
    while (isTaken && this.#next !== undefined && generation === this.#generation) {
      const note = this.#next;
      this.#next = undefined;
      this.#sentAt = performance.now();
      isTaken = await this.#deliver(note);
      if (!isTaken) this.#next ??= note;
    }
    if (generation !== this.#generation) return;
    this.#working = undefined;
    if (!isTaken) this.#retry = setTimeout(() => this.#begin(), retrySeconds * 1000).unref();
  }

  /** Called by the next checkpoint and not by a timer, which would keep the process alive. */
  #abandon(): void {
    this.#generation += 1;
    this.#working = undefined;
    this.#reportFailure(`no answer within ${longestReceiptSeconds} s`);
  }

  async #deliver(note: string): Promise<boolean> {
    try {
      await this.#witness.receive(note);
      this.#size = Math.max(this.#size, sizeOf(note));
      this.#reportRecovery(this.#failures.recordSuccess());
      return true;
    } catch (error) {
      this.#reportFailure(errorMessage(error));
      return false;
    }
  }

  #reportFailure(reason: string): void {
    if (!this.#failures.recordFailure()) return;
    this.#onTrouble(
      `countersign: the witness ${this.#witness.name} took no checkpoint, ${this.#failures.timesText} now: ` +
        `${reason}. The end of the log can be cut off without a trace until it takes one.`,
    );
  }

  #reportRecovery(failures: number): void {
    if (failures > 0) this.#onTrouble(`countersign: the witness ${this.#witness.name} takes checkpoints again.`);
  }
}

/** The second line of a checkpoint (C2SP tlog-checkpoint). */
function sizeOf(note: string): number {
  return Number(note.split('\n', 2)[1]);
}
