import type { LogReport, PlacedLine } from '@countersign/audit-verifier';

/** Tells, of the lines of a log in their order, which of them a verification vouches for: the sealed ones. */
export class VerifiedPart {
  readonly #sealed: number;
  readonly #found: ReadonlySet<string>;
  #left: number | undefined;

  constructor({ sealed, findings }: LogReport) {
    this.#sealed = sealed;
    this.#found = new Set(findings.map(placeKey));
  }

  /**
   * Call it once for each line. Lines are counted: what a record says its number is can be believed of sealed ones
   * alone. Behind the first that is not right, none is.
   */
  covers({ line, place }: Pick<PlacedLine, 'line' | 'place'>): boolean {
    // Older segments may have been moved away.
    this.#left ??= line === undefined ? 0 : this.#sealed - (line.sequence - 1);
    this.#left = this.#found.has(placeKey(place)) ? -1 : this.#left - 1;
    return this.#left >= 0;
  }
}

function placeKey({ file, line }: { readonly file?: string; readonly line?: number }): string {
  return JSON.stringify([file, line]);
}
