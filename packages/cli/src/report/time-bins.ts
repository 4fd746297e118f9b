export interface Bin {
  /** Milliseconds since the epoch. */
  readonly start: number;
  readonly allowed: number;
  readonly denied: number;
}

const mostBins = 96;
const minute = 60_000;
const day = 1440 * minute;
const widths = [
  1000,
  5000,
  15_000,
  minute,
  5 * minute,
  15 * minute,
  60 * minute,
  180 * minute,
  720 * minute,
  day,
  7 * day,
  28 * day,
];

/** Counts over time, in at most 96 bins, which widen as the log grows. */
export class TimeBins {
  #level = 0;
  #bins = new Map<number, { allowed: number; denied: number }>();
  #first = Number.POSITIVE_INFINITY;
  #last = Number.NEGATIVE_INFINITY;

  /** In milliseconds. */
  get width(): number {
    // 28 days, doubled until it fits.
    return widths[this.#level] ?? 28 * day * 2 ** (this.#level - widths.length + 1);
  }

  add(time: number, allowed: boolean): void {
    this.#first = Math.min(this.#first, time);
    this.#last = Math.max(this.#last, time);
    while (this.#number(this.#last) - this.#number(this.#first) >= mostBins) this.#widen();
    this.#count(this.#number(time), allowed ? 1 : 0, allowed ? 0 : 1);
  }

  /** From the first to the last, empty ones included. */
  list(): readonly Bin[] {
    if (this.#bins.size === 0) return [];
    const start = this.#number(this.#first);
    return Array.from({ length: this.#number(this.#last) - start + 1 }, (_, at) => ({
      start: (start + at) * this.width,
      ...(this.#bins.get(start + at) ?? { allowed: 0, denied: 0 }),
    }));
  }

  #number(time: number): number {
    return Math.floor(time / this.width);
  }

  #widen(): void {
    const before = this.#bins;
    const width = this.width;
    this.#level += 1;
    this.#bins = new Map();
    for (const [number, { allowed, denied }] of before) this.#count(this.#number(number * width), allowed, denied);
  }

  #count(number: number, allowed: number, denied: number): void {
    const bin = this.#bins.get(number) ?? { allowed: 0, denied: 0 };
    this.#bins.set(number, { allowed: bin.allowed + allowed, denied: bin.denied + denied });
  }
}
