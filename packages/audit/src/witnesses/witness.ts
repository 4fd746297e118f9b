import { FailureThrottle, errorMessage, withTimeout } from '@countersign/common';

/** Keeps checkpoints of a log where whoever can write the log cannot. */
export interface CheckpointWitness {
  /** How it is named in reports. */
  readonly name: string;
  /** Takes a C2SP signed note; resolves once it is kept. */
  receive(note: string): Promise<void>;
  /** The file that it appends to, if it does: a log refuses one in its own folder, which goes when the log goes. */
  readonly file?: string;
}

/** More than any of ours may take (`timeoutSeconds`), so that only one that never answers is given up. */
const longestReceiptSeconds = 600;

/**
 * Hands checkpoints to one witness, one at a time. The log never waits for it: while it is busy only the latest
 * checkpoint is kept for it, since that one vouches for all before. Failures are counted and reported.
 */
export class WitnessQueue {
  readonly #witness: CheckpointWitness;
  readonly #onTrouble: (message: string) => void;
  readonly #trouble: FailureThrottle;
  #next: string | undefined;
  #working: Promise<void> | undefined;
  #askedAt = 0;
  /** Counts up whenever an answer is no longer waited for. */
  #round = 0;

  constructor(witness: CheckpointWitness, onTrouble: (message: string) => void, clock: () => number) {
    this.#witness = witness;
    this.#onTrouble = onTrouble;
    this.#trouble = new FailureThrottle(clock);
  }

  hand(note: string): void {
    this.#next = note;
    if (this.#working !== undefined && performance.now() - this.#askedAt > longestReceiptSeconds * 1000) this.#giveUp();
    this.#working ??= this.#work(this.#round);
  }

  /** For the last checkpoint: resolves when nothing waits any more, or after so many seconds, and says so. */
  async close(seconds: number): Promise<void> {
    if (this.#working !== undefined) await this.#idleWithin(this.#working, seconds);
    this.#tellOver(this.#trouble.overAtLast());
  }

  async #idleWithin(working: Promise<void>, seconds: number): Promise<void> {
    await withTimeout(seconds * 1000, working, () => {
      this.#onTrouble(
        `countersign: the witness ${this.#witness.name} did not take the last checkpoint within ${seconds} s of the ` +
          'close. The end of the log can be cut off without a trace until it takes one.',
      );
    });
  }

  #tellOver(times: number): void {
    if (times > 0) this.#onTrouble(`countersign: the witness ${this.#witness.name} takes checkpoints again.`);
  }

  async #work(round: number): Promise<void> {
    while (this.#next !== undefined && round === this.#round) {
      const note = this.#next;
      this.#next = undefined;
      this.#askedAt = performance.now();
      await this.#deliver(note);
    }
    if (round === this.#round) this.#working = undefined;
  }

  /** Without a timer, which would keep the process alive: the next checkpoint is soon enough. */
  #giveUp(): void {
    this.#round += 1;
    this.#working = undefined;
    this.#tellFailure(`no answer within ${longestReceiptSeconds} s`);
  }

  async #deliver(note: string): Promise<void> {
    try {
      await this.#witness.receive(note);
      this.#tellOver(this.#trouble.over());
    } catch (error) {
      this.#tellFailure(errorMessage(error));
    }
  }

  #tellFailure(reason: string): void {
    if (!this.#trouble.again()) return;
    this.#onTrouble(
      `countersign: the witness ${this.#witness.name} took no checkpoint, ${this.#trouble.howOften} now: ` +
        `${reason}. The end of the log can be cut off without a trace until it takes one.`,
    );
  }
}
