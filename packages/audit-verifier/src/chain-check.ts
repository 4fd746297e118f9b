import { EditedRuns } from './edited-runs.js';
import { type Findings, inWords } from './finding.js';
import { type LineFrame, noPrev, relinked } from './log-line.js';
import { leafHash } from './merkle.js';
import type { Place, PlacedLine } from './read-log.js';

/** Bounds memory: missing records are searched among later ones, but only for the latest gaps. */
const maxGaps = 1000;

interface Gap {
  readonly from: number;
  readonly through: number;
  readonly place: Place;
  /** The record before the gap, if only the first missing record could confirm it. */
  readonly before: { readonly place: Place; readonly hash: string } | undefined;
}

/** The latest record of the chain. The links to it and from it decide whether it was changed. */
interface Latest {
  readonly sequence: number;
  readonly place: Place;
  /** True: it was changed, whatever the next link says. */
  readonly changed: boolean;
  /** The place of the record before, if the link between the two is wrong: then either may have been changed. */
  readonly suspect: Place | undefined;
  /** Its original hash, if only its link was changed. */
  readonly relinkedHash: string | undefined;
}

/**
 * Follows the chain from line to line: each holds its own number and the hash of the line before. At a break it works
 * out which record was changed, removed, moved or duplicated, and continues behind it. Only the next record confirms a
 * record; an unconfirmed record is named, together with a neighbour if either may have been changed.
 */
export class ChainCheck {
  readonly #findings: Findings;
  readonly #edited: EditedRuns;
  #expected: number;
  #hash: string;
  #latest: Latest | undefined;
  /** The first so many records are covered by a checkpoint and need no link. */
  #vouched: number;
  #linkedThrough = Number.POSITIVE_INFINITY;
  /** In order of their numbers. */
  readonly #missing: Gap[] = [];
  /** Gaps up to this record are reported already. */
  #settledThrough = 0;

  constructor(findings: Findings, expected = 1, prev: string = noPrev) {
    this.#findings = findings;
    this.#edited = new EditedRuns(findings);
    this.#expected = expected;
    this.#vouched = expected - 1;
    this.#hash = prev;
  }

  /** Whether all records so far are linked. Otherwise the tree proves nothing. */
  get intact(): boolean {
    return this.#linkedThrough === Number.POSITIVE_INFINITY;
  }

  /** The last record before the first that may be wrong; infinite if there is none. */
  get linkedThrough(): number {
    return this.#linkedThrough;
  }

  /** The highest sequence number so far. */
  get last(): number {
    return this.#expected - 1;
  }

  /** Takes the next line; `line` is undefined if it is not a record. */
  take(line: LineFrame | undefined, { bytes, hash, place }: Pick<PlacedLine, 'bytes' | 'hash' | 'place'>): void {
    const linked = line === undefined ? bytes.includes(this.#hash) : line.prev === this.#hash;
    if (line === undefined || linked || line.sequence === this.#expected) this.#follow(line, linked, bytes, place);
    else if (line.sequence > this.#expected) this.#openGap(line, place);
    else return this.#takeLate(line, place);
    this.#expected = (this.#latest?.sequence ?? 0) + 1;
    this.#hash = hash.toString('hex');
  }

  /** The first `size` records match a checkpoint. */
  vouch(size: number): void {
    this.#vouched = size;
  }

  /** The content of the latest record is false. */
  markEdited(): void {
    if (this.#latest !== undefined) this.#latest = { ...this.#latest, changed: true };
  }

  /** Call it after the last line: records still missing are reported. */
  end(): void {
    this.#closeLatest();
    this.#edited.end();
    this.#settleGaps(0);
  }

  /** Takes the expected record. */
  #follow(line: LineFrame | undefined, linked: boolean, bytes: Buffer, place: Place): void {
    const before = this.#latest;
    const beforeIsWrong = this.#resolveLatest(line?.prev, linked);
    const sequence = this.#expected;
    const beforeIsRight = linked || sequence - 1 <= this.#vouched;
    const suspect = beforeIsRight || beforeIsWrong ? undefined : before?.place;
    const changed = line?.sequence !== sequence || (beforeIsRight && !linked);
    const relinkedHash = suspect && leafHash(relinked(bytes, this.#hash)).toString('hex');
    this.#latest = { sequence, place, changed, suspect, relinkedHash };
    const beforeMayBeWrong = beforeIsWrong || suspect !== undefined;
    if (changed || !linked) this.#breakAfter(beforeMayBeWrong ? sequence - 2 : sequence - 1);
  }

  /** Decides by the next record's link about the latest record and the one before. Returns whether the latest changed. */
  #resolveLatest(prev: string | undefined, linked: boolean): boolean {
    if (this.#latest === undefined) return false;
    const { sequence, place, changed, suspect, relinkedHash } = this.#latest;
    // Only its link was changed: its original link confirms the record before.
    const linkAlone = prev !== undefined && prev === relinkedHash;
    if (suspect !== undefined && !linkAlone) this.#edited.add(sequence - 1, suspect, linked && !changed);
    if (changed || linkAlone) this.#edited.add(sequence, place, true);
    return changed || linkAlone;
  }

  /** Reports the latest record without a next one to confirm it. Returns whether it is named. */
  #closeLatest(): boolean {
    if (this.#latest === undefined) return false;
    const { sequence, place, changed, suspect } = this.#latest;
    if (suspect !== undefined) this.#edited.add(sequence - 1, suspect, false);
    if (changed || suspect !== undefined) this.#edited.add(sequence, place, changed);
    return changed || suspect !== undefined;
  }

  #breakAfter(sequence: number): void {
    this.#linkedThrough = Math.min(this.#linkedThrough, sequence);
  }

  #openGap({ sequence }: LineFrame, place: Place): void {
    const isNamed = this.#closeLatest();
    const from = this.#expected;
    this.#breakAfter(from - 2);
    const before =
      isNamed || this.#latest === undefined || from - 1 <= this.#vouched
        ? undefined
        : { place: this.#latest.place, hash: this.#hash };
    this.#missing.push({ from, through: sequence - 1, place, before });
    this.#latest = { sequence, place, changed: false, suspect: undefined, relinkedHash: undefined };
    this.#settleGaps(maxGaps);
  }

  #takeLate({ sequence, prev }: LineFrame, place: Place): void {
    this.#breakAfter(this.#expected - 2);
    const at = this.#missing.findIndex(({ through }) => sequence <= through);
    const gap = this.#missing[at];
    const wasMissing = gap !== undefined && gap.from <= sequence;
    const moved = wasMissing || sequence <= this.#settledThrough;
    this.#findings.addRecords(moved ? 'reordered' : 'duplicated', sequence, sequence, place);
    if (!wasMissing) return;
    if (gap.from === sequence && gap.before !== undefined && gap.before.hash !== prev) {
      this.#edited.add(sequence - 1, gap.before.place, false);
      this.#edited.add(sequence, place, false);
    }
    const parts = [
      { ...gap, through: sequence - 1 },
      { ...gap, from: sequence + 1, before: undefined },
    ];
    this.#missing.splice(at, 1, ...parts.filter(({ from, through }) => from <= through));
    this.#settleGaps(maxGaps);
  }

  /** Reports the oldest gaps, and keeps the latest `most`. */
  #settleGaps(most: number): void {
    const settled = this.#missing.splice(0, Math.max(0, this.#missing.length - most));
    for (const { from, through, place, before } of settled) {
      const without = `Without ${from === through ? 'it' : 'them'} nobody can tell whether record ${from - 1} was changed.`;
      const what = inWords('removed', from, through);
      this.#findings.add({ kind: 'removed', from, through, message: before ? `${what} ${without}` : what, ...place });
      this.#settledThrough = through;
    }
  }
}
