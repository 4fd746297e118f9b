import type { Findings } from './finding.js';
import { type LineFrame, noPrev } from './log-line.js';
import type { Place } from './read-log.js';

/** What is missing is looked for among what comes later; a log with more holes than this is not worth more. */
const maxGaps = 1000;

interface Gap {
  readonly from: number;
  readonly through: number;
  readonly place: Place;
}

/**
 * Follows the chain from line to line: each names its own number, and the hash of the line before. Where that breaks,
 * it works out which record was changed, removed, moved or doubled, and goes on behind it.
 */
export class ChainCheck {
  readonly #findings: Findings;
  #expected: number;
  #hash: string;
  /** A record whose link is wrong, before it is known whether it or the one before was changed. */
  #suspect: { readonly sequence: number; readonly place: Place } | undefined;
  #lastEdited = 0;
  #intact = true;
  /** In order. */
  readonly #missing: Gap[] = [];
  /** Gaps up to this record are no longer looked at. */
  #settledThrough = 0;

  constructor(findings: Findings, expected = 1, prev: string = noPrev) {
    this.#findings = findings;
    this.#expected = expected;
    this.#hash = prev;
  }

  /** Whether everything so far is linked; only then does the tree say anything. */
  get intact(): boolean {
    return this.#intact;
  }

  /** The highest number seen. */
  get last(): number {
    return this.#expected - 1;
  }

  /** Takes the next line; undefined for one that is no record. */
  take(line: LineFrame | undefined, hash: Buffer, place: Place): void {
    const linked = line?.prev === this.#hash;
    this.#settleSuspect(linked, line !== undefined && line.sequence === this.#expected);
    if (line === undefined) this.#edited(this.#expected, place);
    else if (line.sequence === this.#expected) this.#checkLink(line, linked, place);
    else if (linked) this.#edited(this.#expected, place);
    else if (line.sequence > this.#expected) this.#gap(line, place);
    else return this.#late(line.sequence, place);
    this.#expected = Math.max(this.#expected, linked ? 0 : (line?.sequence ?? 0)) + 1;
    this.#hash = hash.toString('hex');
  }

  /** Call it after the last line: what was missing until now is missing. */
  end(): void {
    this.#settleSuspect(false, false);
    this.#settleGaps(0);
  }

  #checkLink(line: LineFrame, linked: boolean, place: Place): void {
    if (linked || this.#lastEdited === line.sequence - 1) return;
    this.#intact = false;
    if (line.sequence === 1) this.#edited(1, place);
    else this.#suspect = { sequence: line.sequence, place };
  }

  /** The next record confirms the suspect, or does not: then the suspect itself was changed. */
  #settleSuspect(confirmed: boolean, following: boolean): void {
    if (this.#suspect === undefined) return;
    const { sequence, place } = this.#suspect;
    this.#suspect = undefined;
    if (confirmed) this.#edited(sequence - 1, place);
    else if (following) this.#edited(sequence, place);
    else {
      const message = `Record ${sequence - 1}, or its hash in record ${sequence}, was changed.`;
      this.#findings.add({ kind: 'edited', message, from: sequence - 1, through: sequence, ...place });
    }
  }

  #edited(sequence: number, place: Place): void {
    this.#intact = false;
    this.#lastEdited = sequence;
    this.#findings.addRecords('edited', sequence, sequence, place);
  }

  #gap(line: LineFrame, place: Place): void {
    this.#intact = false;
    this.#missing.push({ from: this.#expected, through: line.sequence - 1, place });
    this.#settleGaps(maxGaps);
  }

  #late(sequence: number, place: Place): void {
    this.#intact = false;
    const at = this.#missing.findIndex(({ through }) => sequence <= through);
    const gap = this.#missing[at];
    const wasMissing = gap !== undefined && gap.from <= sequence;
    const moved = wasMissing || sequence <= this.#settledThrough;
    this.#findings.addRecords(moved ? 'reordered' : 'duplicated', sequence, sequence, place);
    if (!wasMissing) return;
    const parts = [
      { ...gap, through: sequence - 1 },
      { ...gap, from: sequence + 1 },
    ];
    this.#missing.splice(at, 1, ...parts.filter(({ from, through }) => from <= through));
    this.#settleGaps(maxGaps);
  }

  /** Keeps so many gaps open; what is missing in older ones is missing. */
  #settleGaps(most: number): void {
    const settled = this.#missing.splice(0, Math.max(0, this.#missing.length - most));
    for (const { from, through, place } of settled) {
      this.#findings.addRecords('removed', from, through, place);
      this.#settledThrough = through;
    }
  }
}
