import { setTimeout } from 'node:timers/promises';
import { readLogLine } from '@countersign/audit-verifier';
import { CliError, exitCodes } from '../../cli-error.js';
import type { Io } from '../../io.js';
import { printable } from '../../text.js';
import { type FilterOptions, filterFor } from './filter.js';
import { isBefore, type Position, positionOfLast, type ReadOn, readOn } from './log-end.js';
import { foldersIn, type LogFolder, logsIn, named } from './logs.js';
import { type LineToPrint, Printer } from './printer.js';
import { hasLog, requireLog } from './sources.js';
import { textAt } from './unknown-record.js';

export interface TailOptions extends FilterOptions {
  readonly lines: string;
  readonly follow: boolean;
  readonly json: boolean;
}

const pollMilliseconds = 250;
/** Other logs are looked for once a second. */
const pollsBetweenSearches = 4;
/** So many lines are sorted at once. */
const mostSorted = 10_000;
/** Records read before the wanted ones, to find the decisions of their outcomes. */
const recordsBefore = 1000;

/**
 * Prints the last records, those of several logs by time. With `follow`, waits for the log and prints until the process
 * ends. Returns the exit code.
 */
export async function tail(directory: string, options: TailOptions, io: Io): Promise<number> {
  const filter = filterFor(options, io.clock());
  if (!/^[0-9]{1,9}$/.test(options.lines)) throw new CliError('--lines must be a whole number', exitCodes.usage);
  const wanted = Number(options.lines);
  let logs = options.follow ? named(await foldersIn(directory)) : await logsIn([directory]);
  for (const log of logs) await requireLog(log.directory);
  if (logs.length === 0) io.err(`There is no audit log in ${printable(directory)} yet: waiting for it.\n`);
  const ends = logs.map((log, index) => new LogEnd(log, index, wanted));
  const printer = new Printer(io, { filter, json: options.json, names: namesOf(logs) });
  await printNews(ends, printer, io, wanted);
  for (let poll = 1; options.follow; poll++) {
    await setTimeout(pollMilliseconds);
    if (poll % pollsBetweenSearches === 0 || logs.length === 0) {
      logs = await withOthers(logs, directory);
      // All that they hold is news.
      while (ends.length < logs.length) ends.push(new LogEnd(logs[ends.length] as LogFolder, ends.length, Infinity));
    }
    const names = namesOf(logs);
    if (names.length > printer.logs) printer.nameLogs(names);
    await printNews(ends, printer, io);
  }
  return printer.unreadable === 0 ? exitCodes.ok : exitCodes.failed;
}

/** Prints what was written since the last call, of several logs by time: at most the last `wanted` lines. */
async function printNews(ends: readonly LogEnd[], printer: Printer, io: Io, wanted = Infinity): Promise<void> {
  let all: LineToPrint[] = [];
  const print = (): void => {
    const sorted = all.toSorted((one, other) => timeOf(one) - timeOf(other));
    const first = Math.max(0, sorted.length - wanted);
    printer.remember(sorted.slice(0, first));
    printer.take(sorted.slice(first));
    all = [];
  };
  for (const end of ends) {
    for await (const { before, lines } of end.read()) {
      printer.remember(before);
      if (ends.length === 1) printer.take(lines);
      else all.push(...lines);
      if (wanted === Infinity && all.length > mostSorted) print();
      // Wait for a slow reader, so that output does not accumulate in memory.
      await io.drained();
    }
  }
  print();
}

function namesOf(logs: readonly LogFolder[]): readonly string[] {
  return logs.length > 1 ? logs.map(({ name }) => name) : [];
}

/** The logs that are followed, and those that processes have begun since. */
async function withOthers(logs: readonly LogFolder[], directory: string): Promise<readonly LogFolder[]> {
  const followed = logs.map((log) => log.directory);
  const others: string[] = [];
  for (const found of await foldersIn(directory)) {
    if (!followed.includes(found) && (await hasLog(found))) others.push(found);
  }
  return others.length === 0 ? logs : named([...followed, ...others]);
}

/** A line without a time sorts first, as in `audit query`. */
function timeOf({ line }: LineToPrint): number {
  const time = Date.parse(textAt(line?.record, 'time') ?? '');
  return Number.isNaN(time) ? 0 : time;
}

/** Where one log was read up to. */
class LogEnd {
  readonly #log: LogFolder;
  readonly #index: number;
  readonly #count: number;
  #position: Position | undefined;
  #first: Position | undefined;

  constructor(log: LogFolder, index: number, count: number) {
    this.#log = log;
    this.#index = index;
    this.#count = count;
  }

  /** What was written since the last call; at first, the last records and those before. */
  async *read(): AsyncGenerator<{ readonly before: readonly LineToPrint[]; readonly lines: readonly LineToPrint[] }> {
    const { directory } = this.#log;
    try {
      this.#first ??= await positionOfLast(directory, this.#count);
      this.#position ??= await positionOfLast(directory, this.#count + recordsBefore);
      for await (const block of readOn(directory, this.#position)) {
        const { file } = block;
        const lines = block.lines.map((bytes) => ({ bytes, line: readLogLine(bytes), file, log: this.#index }));
        const before = countBefore(block, this.#first);
        this.#position = block.next;
        yield { before: lines.slice(0, before), lines: lines.slice(before) };
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      throw new CliError(`the log is gone from ${directory}: verify this log`);
    }
  }
}

/** The number of lines of a block before the first wanted one. */
function countBefore({ file, lines, next }: ReadOn, first: Position): number {
  if (file !== first.file) return isBefore(file, first.file) ? lines.length : 0;
  // Count from the end, because a line over the limit is not complete.
  let end = next.offset;
  let count = lines.length;
  for (; count > 0 && end > first.offset; count -= 1) end -= (lines[count - 1]?.length ?? 0) + 1;
  return count;
}
