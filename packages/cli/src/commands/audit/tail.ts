import { setTimeout } from 'node:timers/promises';
import { readLogLine } from '@countersign/audit-verifier';
import { CliError, exitCodes } from '../../cli-error.js';
import type { Io } from '../../io.js';
import { printable } from '../../text.js';
import { type FilterOptions, filterFor } from './filter.js';
import { positionOfLast, readOn } from './log-end.js';
import { Printer } from './printer.js';
import { hasLog, requireLog } from './sources.js';

export interface TailOptions extends FilterOptions {
  readonly lines: string;
  readonly follow: boolean;
  readonly json: boolean;
}

const pollMilliseconds = 250;

/** Prints the last records; with `follow` goes on until the process is ended, also before there is a log. Returns the exit code. */
export async function tail(directory: string, options: TailOptions, io: Io): Promise<number> {
  const filter = filterFor(options, io.clock());
  if (!/^[0-9]{1,9}$/.test(options.lines)) throw new CliError('--lines must be a whole number', exitCodes.usage);
  if (options.follow) await logIn(directory, io);
  else await requireLog(directory);
  const printer = new Printer(io, filter, options.json);
  let position = await positionOfLast(directory, Number(options.lines));
  for (;;) {
    for await (const { file, lines, next } of readOn(directory, position)) {
      printer.take(
        lines.map((bytes) => ({ bytes, line: readLogLine(bytes) })),
        file,
      );
      position = next;
      // A slow reader must not fill our memory.
      await io.drained();
    }
    if (!options.follow) return printer.unreadable === 0 ? exitCodes.ok : exitCodes.failed;
    await setTimeout(pollMilliseconds);
  }
}

/** Whoever follows a log may be there before it is. */
async function logIn(directory: string, io: Io): Promise<void> {
  if (await hasLog(directory)) return;
  io.err(`There is no audit log in ${printable(directory)} yet: waiting for it.\n`);
  while (!(await hasLog(directory))) await setTimeout(pollMilliseconds);
}
