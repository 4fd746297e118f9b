import type { LogReport, PlacedLine } from '@countersign/audit-verifier';

/** Tells, of the lines of a log in their order, which of them a verification vouches for: the sealed ones. */
export class VerifiedPart {
  readonly #sealed: number;
  readonly #found: ReadonlySet<string>;
  #ended = false;

  constructor({ sealed, findings }: LogReport) {
    this.#sealed = sealed;
    this.#found = new Set(findings.map(placeKey));
  }

  /** Call it once for each line. Behind the first that is not, no record can be believed what its number is. */
  covers({ line, place }: Pick<PlacedLine, 'line' | 'place'>): boolean {
    this.#ended ||= line === undefined || line.sequence > this.#sealed || this.#found.has(placeKey(place));
    return !this.#ended;
  }
}

function placeKey({ file, line }: { readonly file?: string; readonly line?: number }): string {
  return JSON.stringify([file, line]);
}
