import { type Checkpoint, parseCheckpoint } from './checkpoint.js';
import { splitCheckpoints, textOf } from './checkpoint-file.js';
import type { Findings } from './finding.js';
import type { Place } from './read-log.js';
import { runsOf } from './runs.js';

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
  #start: { readonly size: number; readonly place: Place } | undefined;

  constructor(findings: Findings) {
    this.#findings = findings;
  }

  /** Takes checkpoints that the key has signed, `outside` if they were kept elsewhere. */
  add(checkpoints: readonly Checkpoint[], outside: boolean): void {
    for (const checkpoint of checkpoints) {
      const known = { ...checkpoint, outside };
      this.#known.push(known);
      const same = this.#bySize.get(known.size);
      if (same === undefined) this.#bySize.set(known.size, [known]);
      else same.push(known);
    }
  }

  /** Takes the checkpoints that the folder holds now, right or wrong: none of them is missing. */
  claim(text: string): void {
    for (const note of splitCheckpoints(text)) {
      const claimed = parseCheckpoint(textOf(note));
      if (claimed !== undefined) this.#claimed.add(claimed.size);
    }
  }

  /** So many records, with this root, are said to be before the first that is read. */
  beginAt(size: number, root: Buffer, place: Place): void {
    this.#start = { size, place };
    this.compare(size, root);
  }

  /** Whether the root of so many records is of interest. */
  wants(size: number): boolean {
    return this.#bySize.has(size);
  }

  /** Whether the key has signed this root of so many records. */
  compare(size: number, root: Buffer): boolean {
    const same = this.#bySize.get(size) ?? [];
    for (const known of same) known.matches = known.root.equals(root);
    return same.some(({ matches }) => matches === true);
  }

  /** The log says that this many records were sealed. */
  recorded(size: number): void {
    this.#recorded.push(size);
  }

  /** The largest checkpoint that the key has signed. */
  get signed(): number {
    return largest(this.#known);
  }

  /** The largest checkpoint that the log agrees with. */
  get sealed(): number {
    return largest(this.#known.filter(({ matches }) => matches === true));
  }

  /** Whether the key has signed that so many records have this root, in base64, and they do. */
  confirms(size: number, root: string): boolean {
    const same = this.#bySize.get(size) ?? [];
    return same.some((known) => known.matches === true && known.root.toString('base64') === root);
  }

  /** Call it after the last line. Of the records behind `linkedThrough` no root says anything. */
  end(lastSequence: number, linkedThrough: number, file: string): void {
    this.#reportMissing(file);
    this.#compareHistories(linkedThrough);
    if (linkedThrough >= lastSequence) this.#checkStart();
    if (this.signed > lastSequence) this.#findings.addRecords('cut_tail', lastSequence + 1, this.signed);
  }

  #reportMissing(file: string): void {
    const recorded = this.#recorded.map((size) => ({ size, missing: !this.#claimed.has(size) }));
    for (const run of runsOf(recorded, (a, b) => a.missing === b.missing)) {
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
    const otherHistory = wrong.find((one) =>
      one.outside ? inside === undefined : this.#bySize.get(one.size)?.some(({ matches }) => matches === true),
    );
    if (otherHistory !== undefined) {
      this.#report('forked', otherHistory.size, 'This is not the log that its key has sealed elsewhere');
    } else if (inside !== undefined) {
      this.#report('rewritten', inside.size, 'The log was written anew since it was sealed');
    }
  }

  /**
   * Who begins a log anew can say anything of what was before. A segment begins at a checkpoint, unless it fences torn
   * bytes; there a later one that fits shows as much, since its root is made of the hashes at the start, too.
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

/** There may be too many to be arguments of one call. */
function largest(checkpoints: readonly Checkpoint[]): number {
  return checkpoints.reduce((most, { size }) => Math.max(most, size), 0);
}
