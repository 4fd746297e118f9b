import { type Checkpoint, parseCheckpoint } from './checkpoint.js';
import { splitCheckpoints, signedText } from './checkpoint-file.js';
import type { Findings } from './finding.js';
import type { Place } from './read-log.js';
import { runsOf } from './runs.js';

interface Known extends Checkpoint {
  /** True: kept outside of the folder of the log. */
  readonly outside: boolean;
  matches?: boolean;
}

/** Compares a log, while it is read, with its signed checkpoints. */
export class CheckpointCheck {
  readonly #findings: Findings;
  readonly #known: Known[] = [];
  readonly #bySize = new Map<number, Known[]>();
  readonly #presentSizes = new Set<number>();
  readonly #expectedSizes: number[] = [];
  #start: { readonly size: number; readonly place: Place } | undefined;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  /** Adds checkpoints that the key has signed; `outside`: they were kept elsewhere. */
  add(checkpoints: readonly Checkpoint[], outside: boolean): void {
    for (const checkpoint of checkpoints) {
      const known = { ...checkpoint, outside };
      this.#known.push(known);
      const same = this.#bySize.get(known.size);
      if (same === undefined) this.#bySize.set(known.size, [known]);
      else same.push(known);
    }
  }

  /** Marks the checkpoints that the folder holds now, valid or not: none of them is missing. */
  markPresent(text: string): void {
    for (const note of splitCheckpoints(text)) {
      const checkpoint = parseCheckpoint(signedText(note));
      if (checkpoint !== undefined) this.#presentSizes.add(checkpoint.size);
    }
  }

  /** The log claims that `size` records with this root precede the first that is read. */
  beginAt(size: number, root: Buffer, place: Place): void {
    this.#start = { size, place };
    this.compare(size, root);
  }

  /** Whether there is a checkpoint of this size. */
  wants(size: number): boolean {
    return this.#bySize.has(size);
  }

  /** Compares the root at this size with each checkpoint. Returns whether one matches. */
  compare(size: number, root: Buffer): boolean {
    const same = this.#bySize.get(size) ?? [];
    for (const known of same) known.matches = known.root.equals(root);
    return same.some(({ matches }) => matches === true);
  }

  /** The log has a record of a checkpoint of this size. */
  expect(size: number): void {
    this.#expectedSizes.push(size);
  }

  /** Size of the largest signed checkpoint. */
  get signed(): number {
    return largest(this.#known);
  }

  /** Size of the largest checkpoint that matches the log. */
  get sealed(): number {
    return largest(this.#known.filter(({ matches }) => matches === true));
  }

  /** Whether a matching checkpoint has this size and root (base64). */
  confirms(size: number, root: string): boolean {
    const same = this.#bySize.get(size) ?? [];
    return same.some((known) => known.matches === true && known.root.toString('base64') === root);
  }

  /** Call it after the last line. Roots of records behind `linkedThrough` prove nothing. */
  end(lastSequence: number, linkedThrough: number, file: string): void {
    this.#reportMissing(file);
    this.#compareHistories(linkedThrough);
    if (linkedThrough >= lastSequence) this.#checkStart();
    if (this.signed > lastSequence) this.#findings.addRecords('cut_tail', lastSequence + 1, this.signed);
  }

  #reportMissing(file: string): void {
    const expected = this.#expectedSizes.map((size) => ({ size, missing: !this.#presentSizes.has(size) }));
    for (const run of runsOf(expected, (a, b) => a.missing === b.missing)) {
      const [{ size, missing }] = run;
      if (!missing) continue;
      const [which, are] =
        run.length === 1
          ? [`The checkpoint of ${size} ${size === 1 ? 'record' : 'records'}`, 'is']
          : [`${run.length} checkpoints, of ${size} to ${run.at(-1)?.size} records`, 'are'];
      const message = `${which}, which the log tells of, ${are} missing from ${file}.`;
      this.#findings.add({ kind: 'checkpoint_removed', file, message });
    }
  }

  #compareHistories(linkedThrough: number): void {
    const wrong = this.#known
      .filter(({ matches, size }) => matches === false && size <= linkedThrough)
      .toSorted((a, b) => a.size - b.size);
    const inside = wrong.find(({ outside }) => !outside);
    // Once for all: whoever can write the folder can copy one note a million times.
    const confirmed = new Set(this.#known.filter(({ matches }) => matches === true).map(({ size }) => size));
    const otherHistory = wrong.find((one) => (one.outside ? inside === undefined : confirmed.has(one.size)));
    if (otherHistory !== undefined) {
      this.#report('forked', otherHistory.size, 'This is not the log that its key has sealed elsewhere');
    } else if (inside !== undefined) {
      this.#report('rewritten', inside.size, 'The log was written anew since it was sealed');
    }
  }

  /**
   * An attacker who writes the start of an archived log can claim any earlier records. A segment begins at a checkpoint,
   * unless it fences torn bytes; a later matching checkpoint is enough, since its root includes the hashes at the start.
   */
  #checkStart(): void {
    if (this.#start === undefined) return;
    const { size, place } = this.#start;
    if (this.#bySize.has(size) || this.sealed >= size) return;
    const message = `No checkpoint shows what was before record ${size + 1}, with which the log begins.`;
    this.#findings.add({ kind: 'checkpoint_removed', message, ...place });
  }

  #report(kind: 'forked' | 'rewritten', size: number, what: string): void {
    const from = largest(this.#known.filter((one) => one.matches === true && one.size < size)) + 1;
    const which =
      from === size ? `record ${from} is another one` : `one or more of the records ${from} to ${size} are others`;
    const message = `${what}: ${which} than in its checkpoint.`;
    this.#findings.add({ kind, from, through: size, message });
  }
}

/** Not Math.max(...): there may be too many checkpoints for the arguments of one call. */
function largest(checkpoints: readonly Checkpoint[]): number {
  return checkpoints.reduce((most, { size }) => Math.max(most, size), 0);
}
