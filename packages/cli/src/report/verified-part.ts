import type { LogReport, PlacedLine } from '@countersign/audit-verifier';

/** Finds which lines of a log a verification covers: the sealed ones. */
export class VerifiedPart {
  readonly #sealed: number;
  readonly #sealedHash: string | undefined;
  readonly #found: ReadonlySet<string>;
  #left: number | undefined;
  #isRight = true;
  #isLinked = true;
  /** Hash of the last sealed line read, in hexadecimal. */
  #hash: string | undefined;

  constructor({ sealed, sealedHash, findings }: LogReport) {
    this.#sealed = sealed;
    this.#sealedHash = sealedHash;
    this.#found = new Set(findings.map(placeKey));
  }

  /**
   * Call it once for each line. It counts lines, because the number in an unsealed record is not trustworthy. No line after
   * the first wrong one is covered.
   */
  covers(placed: Pick<PlacedLine, 'line' | 'frame' | 'hash' | 'place'>): boolean {
    const { line, place } = placed;
    // Older segments may have been moved away.
    this.#left ??= line === undefined ? 0 : this.#sealed - (line.sequence - 1);
    if (this.#found.has(placeKey(place))) this.#isRight = false;
    if (this.#left <= 0) return false;
    this.#left -= 1;
    this.#follow(placed);
    return this.#isRight;
  }

  /**
   * Read it after the last line. True if the log changed since its verification; all results of `covers` are then void.
   * Each line contains the hash of the one before, so comparing the last hash is enough.
   */
  get isChanged(): boolean {
    return !this.#isLinked || this.#hash !== this.#sealedHash;
  }

  #follow({ line, frame, hash }: Pick<PlacedLine, 'line' | 'frame' | 'hash'>): void {
    if (this.#hash !== undefined && (line ?? frame)?.prev !== this.#hash) this.#isLinked = false;
    this.#hash = hash.toString('hex');
  }
}

function placeKey({ file, line }: { readonly file?: string; readonly line?: number }): string {
  return JSON.stringify([file, line]);
}
