import { type PlacedLine, readLog } from '@countersign/audit-verifier';
import { textAt } from './unknown-record.js';

/** A line and the index of its log. */
export interface LineOfLog {
  readonly log: number;
  readonly line: PlacedLine;
}

/**
 * Merges several logs by time, in blocks: the next record is the oldest among the logs' next records. Each log keeps its
 * own order, even if its clock went back. One block of each log is in memory.
 */
export async function* mergedLogs(
  directories: readonly string[],
): AsyncGenerator<readonly LineOfLog[], void, undefined> {
  const cursors = directories.map((directory, log) => new Cursor(directory, log));
  for (const cursor of cursors) await cursor.fill();
  let open = cursors.filter((cursor) => !cursor.isUsedUp);
  let lines: LineOfLog[] = [];
  while (open.length > 0) {
    const oldest = open.reduce((first, cursor) => (cursor.time < first.time ? cursor : first));
    lines.push(oldest.take());
    if (!oldest.isUsedUp) continue;
    yield lines;
    lines = [];
    await oldest.fill();
    open = open.filter((cursor) => !cursor.isUsedUp);
  }
}

/** The read position of one log. */
class Cursor {
  readonly #log: number;
  readonly #blocks: AsyncGenerator<readonly PlacedLine[], void, undefined>;
  #block: readonly PlacedLine[] = [];
  #at = 0;
  #time = Number.NEGATIVE_INFINITY;

  constructor(directory: string, log: number) {
    this.#log = log;
    this.#blocks = readLog(directory, () => {});
  }

  /** Time of the next record, in milliseconds; a line without a time sorts first. */
  get time(): number {
    return this.#time;
  }

  /** Whether the block has no more lines. */
  get isUsedUp(): boolean {
    return this.#at >= this.#block.length;
  }

  take(): LineOfLog {
    const line = this.#block[this.#at];
    if (line === undefined) throw new RangeError('the block is used up: fill it first');
    this.#at += 1;
    this.#look();
    return { log: this.#log, line };
  }

  /** Reads the next block with a line. After the last block the log stays exhausted. */
  async fill(): Promise<void> {
    this.#at = 0;
    do {
      const next = await this.#blocks.next();
      this.#block = next.done ? [] : next.value;
      if (next.done) break;
    } while (this.#block.length === 0);
    this.#look();
  }

  #look(): void {
    const time = Date.parse(textAt(this.#block[this.#at]?.line?.record, 'time') ?? '');
    this.#time = Number.isNaN(time) ? Number.NEGATIVE_INFINITY : time;
  }
}
