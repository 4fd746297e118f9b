import { setTimeout } from 'node:timers/promises';
import { readLogLine } from '@countersign/audit-verifier';
import { CliError, exitCodes } from '../../cli-error.js';
import type { Io } from '../../io.js';
import { printable } from '../../text.js';
import { type FilterOptions, filterFor } from './filter.js';
import { isBefore, type Position, positionOfLast, type ReadOn, readOn } from './log-end.js';
import { Printer } from './printer.js';
import { hasLog, requireLog } from './sources.js';

export interface TailOptions extends FilterOptions {
  readonly lines: string;
  readonly follow: boolean;
  readonly json: boolean;
}

const pollMilliseconds = 250;
/** Records read before the wanted ones, to find the decisions of their outcomes. */
const recordsBefore = 1000;

/** Prints the last records. With `follow`, waits for the log and prints until the process ends. Returns the exit code. */
export async function tail(directory: string, options: TailOptions, io: Io): Promise<number> {
  const filter = filterFor(options, io.clock());
  if (!/^[0-9]{1,9}$/.test(options.lines)) throw new CliError('--lines must be a whole number', exitCodes.usage);
  if (options.follow) await logIn(directory, io);
  else await requireLog(directory);
  const printer = new Printer(io, { filter, json: options.json });
  const count = Number(options.lines);
  try {
    let position = await positionOfLast(directory, count + recordsBefore);
    const first = await positionOfLast(directory, count);
    for (;;) {
      for await (const block of readOn(directory, position)) {
        const lines = block.lines.map((bytes) => ({ bytes, line: readLogLine(bytes), file: block.file }));
        const before = countBefore(block, first);
        printer.remember(lines.slice(0, before));
        printer.take(lines.slice(before));
        position = block.next;
        // Wait for a slow reader, so that output does not accumulate in memory.
        await io.drained();
      }
      if (!options.follow) return printer.unreadable === 0 ? exitCodes.ok : exitCodes.failed;
      await setTimeout(pollMilliseconds);
    }
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new CliError(`the log is gone from ${directory}: verify this log`);
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

/** `--follow` may start before the log exists. */
async function logIn(directory: string, io: Io): Promise<void> {
  if (await hasLog(directory)) return;
  io.err(`There is no audit log in ${printable(directory)} yet: waiting for it.\n`);
  while (!(await hasLog(directory))) await setTimeout(pollMilliseconds);
}
