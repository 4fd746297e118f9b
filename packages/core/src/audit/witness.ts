import { LastingTrouble } from '../lasting-trouble.js';
import { textOf } from '../text-of.js';
import { within } from '../within.js';

/** Keeps checkpoints of a log where whoever can write the log cannot. */
export interface CheckpointWitness {
  /** How it is named in reports. */
  readonly name: string;
  /** Takes a C2SP signed note; resolves once it is kept. */
  receive(note: string): Promise<void>;
  /** The file that it appends to, if it does: a log refuses one in its own folder, which goes when the log goes. */
  readonly file?: string;
}

/**
 * Hands checkpoints to one witness, one at a time. The log never waits for it: while it is busy only the latest
 * checkpoint is kept for it, since that one vouches for all before. Failures are counted and reported.
 */
export class WitnessQueue {
  readonly #witness: CheckpointWitness;
  readonly #onTrouble: (message: string) => void;
  readonly #trouble: LastingTrouble;
  #next: string | undefined;
  #working: Promise<void> | undefined;

  constructor(witness: CheckpointWitness, onTrouble: (message: string) => void, clock: () => number) {
    this.#witness = witness;
    this.#onTrouble = onTrouble;
    this.#trouble = new LastingTrouble(clock);
  }

  hand(note: string): void {
    this.#next = note;
    this.#working ??= this.#work();
  }

  /** For the last checkpoint: resolves when nothing waits any more, or after so many seconds, and says so. */
  async close(seconds: number): Promise<void> {
    if (this.#working !== undefined) await this.#idleWithin(this.#working, seconds);
    this.#tellOver(this.#trouble.overAtLast());
  }

  async #idleWithin(working: Promise<void>, seconds: number): Promise<void> {
    await within(seconds * 1000, working, () => {
      this.#onTrouble(
        `countersign: the witness ${this.#witness.name} did not take the last checkpoint within ${seconds} s of the ` +
          'close. The end of the log can be cut off without a trace until it takes one.',
      );
    });
  }

  #tellOver(times: number): void {
    if (times > 0) this.#onTrouble(`countersign: the witness ${this.#witness.name} takes checkpoints again.`);
  }

  async #work(): Promise<void> {
    while (this.#next !== undefined) {
      const note = this.#next;
      this.#next = undefined;
      await this.#deliver(note);
    }
    this.#working = undefined;
  }

  async #deliver(note: string): Promise<void> {
    try {
      await this.#witness.receive(note);
      this.#tellOver(this.#trouble.over());
    } catch (error) {
      if (!this.#trouble.again()) return;
      this.#onTrouble(
        `countersign: the witness ${this.#witness.name} took no checkpoint, ${this.#trouble.howOften} now: ` +
          `${textOf(error)}. The end of the log can be cut off without a trace until it takes one.`,
      );
    }
  }
}
