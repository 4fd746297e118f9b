import { readLog } from '@countersign/audit-verifier';
import { exitCodes } from '../../cli-error.js';
import type { Io } from '../../io.js';
import { type FilterOptions, filterFor } from './filter.js';
import { Printer } from './printer.js';
import { requireLog } from './sources.js';

export interface QueryOptions extends FilterOptions {
  readonly json: boolean;
}

/** Prints the records that match, in the order of the log. Holds none of them. Returns the exit code. */
export async function query(directory: string, options: QueryOptions, io: Io): Promise<number> {
  const filter = filterFor(options, io.clock());
  await requireLog(directory);
  const printer = new Printer(io, filter, options.json);
  for await (const lines of readLog(directory, () => {})) {
    printer.take(lines, lines[0]?.place.file ?? '');
    // A slow reader must not fill our memory.
    await io.drained();
  }
  if (!options.json) io.err(`${inWords(printer)} Reading is not verifying: countersign audit verify.\n`);
  return printer.unreadable === 0 ? exitCodes.ok : exitCodes.failed;
}

const mostNamed = 5;

function inWords({ shown, open: { records, more } }: Printer): string {
  const found = `${shown} ${shown === 1 ? 'record' : 'records'}.`;
  if (records.length === 0) return found;
  const named = `${records.slice(0, mostNamed).join(', ')}${records.length > mostNamed ? ', …' : ''}`;
  const count = `${more ? 'At least ' : ''}${records.length}`;
  return `${found} ${count} of what was allowed has no outcome, after a crash or still running: ${named}.`;
}
