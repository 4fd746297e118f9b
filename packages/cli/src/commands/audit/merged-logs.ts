import { type PlacedLine, readLog } from '@countersign/audit-verifier';
import { textAt } from './unknown-record.js';

/** A line, and which of the logs it stands in. */
export interface LineOfLog {
  readonly log: number;
  readonly line: PlacedLine;
}

/**
 * Reads several logs at once, in blocks: always on with the log whose next record is the oldest. Each stays in its own
 * order, also where its clock went back, and none is left out. Of each log one block is in memory.
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

/** Where one log has been read to. */
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

  /** When the next record was written, in milliseconds; a line that says no time comes at once. */
  get time(): number {
    return this.#time;
  }

  /** Whether the block holds no line more. */
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

  /** Reads the next block that holds a line. After the last one the log stays used up. */
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
