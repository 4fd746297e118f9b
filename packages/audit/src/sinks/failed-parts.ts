/** Most parts that are sent alone again in one attempt, so that other batches have their turn. */
const maxRetried = 20;

type Part = readonly string[];

interface FailedLine {
  readonly count: number;
  /** Receipts at the last failure. */
  readonly receipts: number;
  readonly isOnlyLine: boolean;
}

/** How often lines of waiting batches failed, alone or with others of the same part. */
export class FailedParts {
  readonly #lines = new Map<string, FailedLine>();

  /** Counts only one failure between two receipts: during an outage nothing is received. */
  count(part: Part, receipts: number): void {
    const before = this.#find(part);
    const count = before?.receipts === receipts ? before.count : (before?.count ?? 0) + 1;
    for (const line of part) this.#lines.set(line, { count, receipts, isOnlyLine: part.length === 1 });
  }

  countOf(part: Part): number {
    return this.#find(part)?.count ?? 0;
  }

  /** Whether a line failed without any other. */
  hasAlone(line: string): boolean {
    return this.#lines.get(line)?.isOnlyLine === true;
  }

  delete(lines: readonly string[]): void {
    for (const line of lines) this.#lines.delete(line);
  }

  /** Some of the parts that failed before, those first whose last failure is the oldest. */
  leastRecent(parts: readonly Part[]): readonly Part[] {
    const receiptsOf = (part: Part): number => this.#find(part)?.receipts ?? 0;
    const failed = parts.filter((part) => this.countOf(part) > 0);
    return failed.toSorted((one, other) => receiptsOf(one) - receiptsOf(other)).slice(0, maxRetried);
  }

  /** Other lines of the part may have been received since, as controls. */
  #find(part: Part): FailedLine | undefined {
    const failed = part.find((line) => this.#lines.has(line));
    return failed === undefined ? undefined : this.#lines.get(failed);
  }
}
