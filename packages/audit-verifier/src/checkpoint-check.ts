import { type Checkpoint, openCheckpoint, parseCheckpoint } from './checkpoint.js';
import { type CheckpointFile, splitCheckpoints } from './checkpoint-file.js';
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
  readonly #bySize = new Map<number, Known[]>();
  readonly #claimed = new Set<number>();
  readonly #recorded: number[] = [];

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  /** Takes a file of checkpoints. */
  read({ notes, strays }: CheckpointFile, verifierKey: string, file: string, outside: boolean): void {
    for (const line of strays) {
      const message = `A part of ${file} is no whole checkpoint: it was changed, or cut off.`;
      this.#findings.add({ kind: 'checkpoint_edited', file, line, message });
    }
    notes.forEach((note, index) => {
      const opened = openCheckpoint(note, verifierKey);
      const claimed = parseCheckpoint(textOf(note));
      if (opened.ok) {
        this.#add({ ...opened.checkpoint, outside });
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
    return this.#bySize.has(size);
  }

  compare(size: number, root: Buffer): void {
    for (const known of this.#bySize.get(size) ?? []) known.matches = known.root.equals(root);
  }

  /** The log says that this many records were sealed. */
  recorded(size: number): void {
    this.#recorded.push(size);
  }

  /** The largest checkpoint that the log agrees with. */
  get sealed(): number {
    return largest(this.#known.filter(({ matches }) => matches === true));
  }

  /** Call it after the last line. `intact`: whether the chain is, since only then do roots say anything. */
  end(lastSequence: number, intact: boolean, file: string): void {
    for (const size of this.#recorded) {
      if (this.#claimed.has(size)) continue;
      const message = `The checkpoint of ${size} records, which the log tells of, is missing from ${file}.`;
      this.#findings.add({ kind: 'checkpoint_removed', file, message });
    }
    if (intact) this.#compareHistories();
    const most = largest(this.#known);
    if (most > lastSequence) this.#findings.addRecords('cut_tail', lastSequence + 1, most);
  }

  #add(known: Known): void {
    this.#known.push(known);
    const same = this.#bySize.get(known.size);
    if (same === undefined) this.#bySize.set(known.size, [known]);
    else same.push(known);
  }

  #compareHistories(): void {
    const wrong = this.#known.filter(({ matches }) => matches === false).toSorted((a, b) => a.size - b.size);
    const inside = wrong.find(({ outside }) => !outside);
    const otherHistory = wrong.find((one) =>
      one.outside ? inside === undefined : this.#bySize.get(one.size)?.some(({ matches }) => matches === true),
    );
    if (otherHistory !== undefined) {
      this.#report('forked', otherHistory.size, 'This is not the log that its key has sealed elsewhere');
    } else if (inside !== undefined) {
      this.#report('rewritten', inside.size, 'The log was written anew since it was sealed');
    }
  }

  #report(kind: 'forked' | 'rewritten', size: number, what: string): void {
    const from = largest(this.#known.filter((one) => one.matches === true && one.size < size)) + 1;
    const message = `${what}: one or more of the records ${from} to ${size} are others than those of its checkpoint.`;
    this.#findings.add({ kind, from, through: size, message });
  }
}

/** There may be too many to be arguments of one call. */
function largest(checkpoints: readonly Checkpoint[]): number {
  return checkpoints.reduce((most, { size }) => Math.max(most, size), 0);
}

/** What a note says, signed or not. */
function textOf(note: string): string {
  return note.slice(0, note.lastIndexOf('\n\n') + 1);
}
