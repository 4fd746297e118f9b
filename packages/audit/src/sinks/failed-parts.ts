import { shuffled } from './lists.js';

/** Most parts that are sent alone again in one attempt, so that other batches have their turn. */
const maxRetried = 20;

/** What a failure counts that directly follows a receipt. Any other may be due to the one before: the receiver recovers from it. */
const certain = 2;

type Part = readonly string[];

interface FailedPart {
  /** The sum of its failures, of which each counts 1 or `certain`. */
  readonly points: number;
  /** Receipts at the last failure. */
  readonly receipts: number;
  /** The last line that failed without any other. */
  readonly onlyLine: string | undefined;
}

/** How often parts of waiting batches failed: by line, or by the writer of their lines in any batch. */
export class FailedParts {
  readonly #keyOf: (line: string) => string;
  readonly #parts = new Map<string, FailedPart>();
  /** At the last failed request. */
  #receipts: number | undefined;
  #points = certain;

  constructor(keyOf: (line: string) => string) {
    this.#keyOf = keyOf;
  }

  /** Call it after each failed request. */
  note(receipts: number): void {
    this.#points = receipts === this.#receipts ? 1 : certain;
    this.#receipts = receipts;
  }

  /** Counts the last failed request for a part; but only one between two receipts: during an outage nothing is received. */
  count(part: Part, receipts: number): void {
    const before = this.#find(part);
    const points = (before?.points ?? 0) + (before?.receipts === receipts ? 0 : this.#points);
    const onlyLine = part.length === 1 ? part[0] : before?.onlyLine;
    for (const line of part) this.#parts.set(this.#keyOf(line), { points, receipts, onlyLine });
  }

  /** How often a part failed, rounded down. */
  countOf(part: Part): number {
    return Math.floor((this.#find(part)?.points ?? 0) / certain);
  }

  has(part: Part): boolean {
    return this.#find(part) !== undefined;
  }

  /** Whether a line failed without any other. */
  hasAlone(line: string): boolean {
    return this.#find([line])?.onlyLine === line;
  }

  delete(part: Part): void {
    for (const line of part) this.#parts.delete(this.#keyOf(line));
  }

  /** Call it when the lines of a batch are done with. Writers are kept while other batches wait that failed. */
  forget(lines: readonly string[], isLast: boolean): void {
    if (isLast) this.#parts.clear();
    else for (const line of lines) this.#parts.delete(line);
  }

  /**
   * Some of the parts that failed before, those first whose last failure is the oldest. Of those that failed together, each
   * may be the first: a receiver that recovers from one of them for seconds fails with all behind it.
   */
  leastRecent(parts: readonly Part[]): readonly Part[] {
    const receiptsOf = (part: Part): number => this.#find(part)?.receipts ?? 0;
    const failed = shuffled(parts.filter((part) => this.has(part)));
    return failed.toSorted((one, other) => receiptsOf(one) - receiptsOf(other)).slice(0, maxRetried);
  }

  /** Other lines of the part may have been received since, as controls. */
  #find(part: Part): FailedPart | undefined {
    const failed = part.find((line) => this.#parts.has(this.#keyOf(line)));
    return failed === undefined ? undefined : this.#parts.get(this.#keyOf(failed));
  }
}
