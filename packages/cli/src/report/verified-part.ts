import type { LogReport, PlacedLine } from '@countersign/audit-verifier';

/** Tells, of the lines of a log in their order, which of them a verification vouches for: the sealed ones. */
export class VerifiedPart {
  readonly #sealed: number;
  readonly #sealedHash: string | undefined;
  readonly #found: ReadonlySet<string>;
  #left: number | undefined;
  #isRight = true;
  #isLinked = true;
  /** Of the last sealed line that was read, in hexadecimal. */
  #hash: string | undefined;

  constructor({ sealed, sealedHash, findings }: LogReport) {
    this.#sealed = sealed;
    this.#sealedHash = sealedHash;
    this.#found = new Set(findings.map(placeKey));
  }

  /**
   * Call it once for each line. Lines are counted: what a record says its number is can be believed of sealed ones
   * alone. Behind the first that is not right, none is.
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
   * Call it after the last line. Whether these are not the lines that were verified: the log was changed in between, and
   * nothing that `covers` has said holds. Each line names the hash of the one before, so that the last stands for all.
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
