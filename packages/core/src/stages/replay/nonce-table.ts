/** Words of an entry: three of its digest, and the last second (unix, unsigned) in which it counts. 0: no entry. */
const entryWords = 4;
const segmentEntries = 1024;
const segmentWords = segmentEntries * entryWords;
/** A segment in which so many slots were used is rebuilt without the forgotten entries. */
const mostUsed = 768;
/** Beyond so many remembered entries a segment is split instead, or the next rebuild would come too soon. */
const mostKept = 640;

interface Segment {
  words: Int32Array;
  /** Slots that are not empty; some entries in them may be forgotten. */
  used: number;
  /** How many leading bits all digests in it share. */
  readonly depth: number;
}

/** At most this many entries: the directory of a table then takes 4 MiB. */
export const maxTableEntries = 100_000_000;

/**
 * A hash table of digests. It has segments of 16 KiB, and grows by splitting one: no call moves more than one segment,
 * and a table that holds little is small. An entry whose last second is not later than `forgottenUpTo` is forgotten: it
 * is not found, and its slot is used again.
 */
export class NonceTable {
  readonly #directory: Segment[];
  readonly #directoryBits: number;
  /** Where the next segment is rebuilt. */
  #spare: Int32Array = new Int32Array(segmentWords);

  constructor(maxEntries: number) {
    // One bit more than uniform digests need, because segments do not fill evenly.
    this.#directoryBits = 1 + Math.max(0, Math.ceil(Math.log2(maxEntries / mostKept)));
    const first: Segment = { words: new Int32Array(segmentWords), used: 0, depth: 0 };
    this.#directory = Array.from({ length: 2 ** this.#directoryBits }, () => first);
  }

  has(entry: Int32Array, forgottenUpTo: number): boolean {
    const { words } = this.#segmentAt(this.#cellOf(entry[0]));
    for (let at = homeOf(entry[0]); words[at + 3] !== 0; at = nextSlot(at)) {
      const same = words[at] === entry[0] && words[at + 1] === entry[1] && words[at + 2] === entry[2];
      if (same && lastSecondAt(words, at) > forgottenUpTo) return true;
    }
    return false;
  }

  /** False: there is no room, because too many digests begin alike. */
  add(entry: Int32Array, forgottenUpTo: number): boolean {
    const cell = this.#cellOf(entry[0]);
    do {
      const segment = this.#segmentAt(cell);
      const at = freeSlot(segment.words, entry[0], forgottenUpTo);
      if (segment.words[at + 3] !== 0 || segment.used < mostUsed) {
        put(segment, at, entry, 0);
        return true;
      }
    } while (this.#makeRoom(cell, forgottenUpTo));
    return false;
  }

  #makeRoom(cell: number, forgottenUpTo: number): boolean {
    const segment = this.#segmentAt(cell);
    if (remembered(segment.words, forgottenUpTo) > mostKept && segment.depth < this.#directoryBits) {
      this.#split(segment, cell, forgottenUpTo);
      return true;
    }
    this.#rebuild(segment, () => segment, forgottenUpTo);
    return segment.used < mostUsed;
  }

  /** Replaces the segment by two: one for each value of the next bit of the digests. */
  #split(segment: Segment, cell: number, forgottenUpTo: number): void {
    const depth = segment.depth + 1;
    const lower: Segment = { words: segment.words, used: 0, depth };
    const upper: Segment = { words: new Int32Array(segmentWords), used: 0, depth };
    this.#rebuild(lower, (firstWord) => (firstWord << (depth - 1) < 0 ? upper : lower), forgottenUpTo);
    const cells = 2 ** (this.#directoryBits - depth);
    const start = cell - (cell % (2 * cells));
    for (let at = 0; at < cells; at++) {
      this.#directory[start + at] = lower;
      this.#directory[start + cells + at] = upper;
    }
  }

  /** Moves what is remembered in the segment into the segments chosen; the segment itself has new words. */
  #rebuild(segment: Segment, choose: (firstWord: number) => Segment, forgottenUpTo: number): void {
    const old = segment.words;
    segment.words = this.#spare;
    segment.used = 0;
    for (let from = 0; from < segmentWords; from += entryWords) {
      if (lastSecondAt(old, from) <= forgottenUpTo) continue;
      const target = choose(old[from] ?? 0);
      put(target, freeSlot(target.words, old[from], forgottenUpTo), old, from);
    }
    this.#spare = old.fill(0);
  }

  #cellOf(firstWord = 0): number {
    return firstWord >>> (32 - this.#directoryBits);
  }

  #segmentAt(cell: number): Segment {
    return this.#directory[cell] as Segment;
  }
}

/** The low bits: the directory uses the high ones. */
function homeOf(firstWord = 0): number {
  return (firstWord & (segmentEntries - 1)) * entryWords;
}

function nextSlot(at: number): number {
  return (at + entryWords) & (segmentWords - 1);
}

function lastSecondAt(words: Int32Array, at: number): number {
  return (words[at + 3] ?? 0) >>> 0;
}

function freeSlot(words: Int32Array, firstWord: number | undefined, forgottenUpTo: number): number {
  let at = homeOf(firstWord);
  while (lastSecondAt(words, at) > forgottenUpTo) at = nextSlot(at);
  return at;
}

function put(segment: Segment, at: number, from: Int32Array, start: number): void {
  const { words } = segment;
  if (words[at + 3] === 0) segment.used++;
  for (let word = 0; word < entryWords; word++) words[at + word] = from[start + word] ?? 0;
}

function remembered(words: Int32Array, forgottenUpTo: number): number {
  let count = 0;
  for (let at = 0; at < segmentWords; at += entryWords) if (lastSecondAt(words, at) > forgottenUpTo) count++;
  return count;
}
