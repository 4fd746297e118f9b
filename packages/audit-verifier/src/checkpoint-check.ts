import { type Checkpoint, openCheckpoint, parseCheckpoint, splitCheckpoints } from './checkpoint.js';
import type { Findings } from './finding.js';

interface Known extends Checkpoint {
  /** Kept in the folder of the log, or somewhere else. */
  readonly outside: boolean;
  matches?: boolean;
}

/** Compares a log, while it is read, with what was signed of it. */
export class CheckpointCheck {
  readonly #findings: Findings;
  readonly #known: Known[] = [];
  readonly #claimed = new Set<number>();
  readonly #recorded: number[] = [];
  #sizes = new Set<number>();

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  /** Takes the text of a file of checkpoints. */
  read(text: string, verifierKey: string, file: string, outside: boolean): void {
    splitCheckpoints(text).forEach((note, index) => {
      const opened = openCheckpoint(note, verifierKey);
      const claimed = parseCheckpoint(textOf(note));
      if (opened.ok) {
        this.#known.push({ ...opened.checkpoint, outside });
        return;
      }
      const about = `Checkpoint ${index + 1} in ${file}${claimed === undefined ? '' : `, of ${claimed.size} records,`}`;
      if (opened.problem === 'no_known_signature') {
        this.#findings.add({ kind: 'wrong_key', file, message: `${about} is signed by another key.` });
      } else {
        this.#findings.add({
          kind: 'checkpoint_edited',
          file,
          message: `${about} was changed, or was never signed (${opened.problem}).`,
        });
      }
    });
    this.#sizes = new Set(this.#known.map(({ size }) => size));
  }

  /** Takes the checkpoints that the folder holds now, right or wrong: none of them is missing. */
  claim(text: string): void {
    for (const note of splitCheckpoints(text)) {
      const claimed = parseCheckpoint(textOf(note));
      if (claimed !== undefined) this.#claimed.add(claimed.size);
    }
  }

  /** Whether the root of so many records is of interest. */
  wants(size: number): boolean {
    return this.#sizes.has(size);
  }

  compare(size: number, root: Buffer): void {
    for (const known of this.#known) if (known.size === size) known.matches = known.root.equals(root);
  }

  /** The log says that this many records were sealed. */
  recorded(size: number): void {
    this.#recorded.push(size);
  }

  /** The largest checkpoint that the log agrees with. */
  get sealed(): number {
    return Math.max(0, ...this.#known.filter(({ matches }) => matches === true).map(({ size }) => size));
  }

  /** Call it after the last line. `intact`: whether the chain is, since only then do roots say anything. */
  end(lastSequence: number, intact: boolean, file: string): void {
    for (const size of this.#recorded) {
      if (this.#claimed.has(size)) continue;
      const message = `The checkpoint of ${size} records, which the log tells of, is missing from ${file}.`;
      this.#findings.add({ kind: 'checkpoint_removed', file, message });
    }
    if (intact) this.#compareHistories();
    const largest = Math.max(0, ...this.#sizes);
    if (largest > lastSequence) this.#findings.addRecords('cut_tail', lastSequence + 1, largest);
  }

  #compareHistories(): void {
    const wrong = this.#known.filter(({ matches }) => matches === false).toSorted((a, b) => a.size - b.size);
    const inside = wrong.find(({ outside }) => !outside);
    const otherHistory = wrong.find((one) =>
      one.outside
        ? inside === undefined
        : this.#known.some(({ size, matches }) => size === one.size && matches === true),
    );
    if (otherHistory !== undefined) {
      this.#report('forked', otherHistory.size, 'This is not the log that its key has sealed elsewhere');
    } else if (inside !== undefined) {
      this.#report('rewritten', inside.size, 'The log was written anew since it was sealed');
    }
  }

  #report(kind: 'forked' | 'rewritten', size: number, what: string): void {
    const good = this.#known.filter((one) => one.matches === true && one.size < size).map((one) => one.size);
    const from = Math.max(0, ...good) + 1;
    const message = `${what}: one or more of the records ${from} to ${size} are others than those of its checkpoint.`;
    this.#findings.add({ kind, from, through: size, message });
  }
}

/** What a note says, signed or not. */
function textOf(note: string): string {
  return note.slice(0, note.lastIndexOf('\n\n') + 1);
}
