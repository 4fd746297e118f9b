import { EditedRuns } from './edited-runs.js';
import { type Findings, inWords } from './finding.js';
import { type LineFrame, noPrev, relinked } from './log-line.js';
import { leafHash } from './merkle.js';
import type { Place, PlacedLine } from './read-log.js';

/** What is missing is looked for among what comes later; a log with more holes than this is not worth more. */
const maxGaps = 1000;

interface Gap {
  readonly from: number;
  readonly through: number;
  readonly place: Place;
  /** The record before, if it is only the first missing one that can say whether it was changed. */
  readonly before: { readonly place: Place; readonly hash: string } | undefined;
}

/** The latest record of the chain: what it is, the links to it and from it will tell. */
interface Latest {
  readonly sequence: number;
  readonly place: Place;
  /** It was, whatever the next one says. */
  readonly changed: boolean;
  /** Where the record before stands, if the link between the two is wrong: then either of them was changed. */
  readonly suspect: Place | undefined;
  /** The hash that it had, if of it the link alone was changed. */
  readonly relinkedHash: string | undefined;
}

/**
 * Follows the chain from line to line: each names its own number, and the hash of the line before. Where that breaks,
 * it works out which record was changed, removed, moved or doubled, and goes on behind it. A record is right only if
 * the next one says so: whatever has no such word for it is named, if need be together with a neighbour.
 */
export class ChainCheck {
  readonly #findings: Findings;
  readonly #edited: EditedRuns;
  #expected: number;
  #hash: string;
  #latest: Latest | undefined;
  /** So many records need no link to be right. */
  #vouched: number;
  #linkedThrough = Number.POSITIVE_INFINITY;
  /** In order. */
  readonly #missing: Gap[] = [];
  /** Gaps up to this record are no longer looked at. */
  #settledThrough = 0;

  constructor(findings: Findings, expected = 1, prev: string = noPrev) {
    this.#findings = findings;
    this.#edited = new EditedRuns(findings);
    this.#expected = expected;
    this.#vouched = expected - 1;
    this.#hash = prev;
  }

  /** Whether everything so far is linked; only then does the tree say anything. */
  get intact(): boolean {
    return this.#linkedThrough === Number.POSITIVE_INFINITY;
  }

  /** The last record before the first that may be wrong. Infinite as long as there is none. */
  get linkedThrough(): number {
    return this.#linkedThrough;
  }

  /** The highest number seen. */
  get last(): number {
    return this.#expected - 1;
  }

  /** Takes the next line; undefined for one that is no record. */
  take(line: LineFrame | undefined, { bytes, hash, place }: Pick<PlacedLine, 'bytes' | 'hash' | 'place'>): void {
    const linked = line === undefined ? bytes.includes(this.#hash) : line.prev === this.#hash;
    if (line === undefined || linked || line.sequence === this.#expected) this.#follow(line, linked, bytes, place);
    else if (line.sequence > this.#expected) this.#gap(line, place);
    else return this.#late(line, place);
    this.#expected = (this.#latest?.sequence ?? 0) + 1;
    this.#hash = hash.toString('hex');
  }

  /** So many records are what the key has sealed. */
  vouch(size: number): void {
    this.#vouched = size;
  }

  /** What the latest record says is not so. */
  markEdited(): void {
    if (this.#latest !== undefined) this.#latest = { ...this.#latest, changed: true };
  }

  /** Call it after the last line: what was missing until now is missing. */
  end(): void {
    this.#leave();
    this.#edited.end();
    this.#settleGaps(0);
  }

  /** The record that is to come next. */
  #follow(line: LineFrame | undefined, linked: boolean, bytes: Buffer, place: Place): void {
    const before = this.#latest;
    const beforeIsWrong = this.#judge(line?.prev, linked);
    const sequence = this.#expected;
    const beforeIsRight = linked || sequence - 1 <= this.#vouched;
    const suspect = beforeIsRight || beforeIsWrong ? undefined : before?.place;
    const changed = line?.sequence !== sequence || (beforeIsRight && !linked);
    const relinkedHash = suspect && leafHash(relinked(bytes, this.#hash)).toString('hex');
    this.#latest = { sequence, place, changed, suspect, relinkedHash };
    if (changed || !linked) this.#breakAfter(suspect === undefined ? sequence - 1 : sequence - 2);
  }

  /** What the next record says of the latest one, and so of the one before. Returns whether the latest was changed. */
  #judge(prev: string | undefined, linked: boolean): boolean {
    if (this.#latest === undefined) return false;
    const { sequence, place, changed, suspect, relinkedHash } = this.#latest;
    // Then the latest was written after the one before, just as that stands there.
    const linkAlone = prev !== undefined && prev === relinkedHash;
    if (suspect !== undefined && !linkAlone) this.#edited.add(sequence - 1, suspect, linked && !changed);
    if (changed || linkAlone) this.#edited.add(sequence, place, true);
    return changed || linkAlone;
  }

  /** No next record says anything of the latest one. Returns whether it is named. */
  #leave(): boolean {
    if (this.#latest === undefined) return false;
    const { sequence, place, changed, suspect } = this.#latest;
    if (suspect !== undefined) this.#edited.add(sequence - 1, suspect, false);
    if (changed || suspect !== undefined) this.#edited.add(sequence, place, changed);
    return changed || suspect !== undefined;
  }

  #breakAfter(sequence: number): void {
    this.#linkedThrough = Math.min(this.#linkedThrough, sequence);
  }

  #gap({ sequence }: LineFrame, place: Place): void {
    const isNamed = this.#leave();
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

  #late({ sequence, prev }: LineFrame, place: Place): void {
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

  /** Keeps so many gaps open; what is missing in older ones is missing. */
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
