import { basename, resolve } from 'node:path';
import { CliError, exitCodes } from '../../cli-error.js';
import type { Io } from '../../io.js';
import { type FilterOptions, filterFor } from './filter.js';
import { mergedLogs } from './merged-logs.js';
import { Printer } from './printer.js';
import { requireLog } from './sources.js';
import { textAt } from './unknown-record.js';

export interface QueryOptions extends FilterOptions {
  readonly json: boolean;
}

/**
 * Prints the matching records in the order of the log; those of several logs by time. Keeps none of them in memory.
 * Returns the exit code.
 */
export async function query(directories: readonly string[], options: QueryOptions, io: Io): Promise<number> {
  filterFor(options, io.clock());
  if (new Set(directories.map((directory) => resolve(directory))).size < directories.length) {
    throw new CliError('a folder is named twice: each of its records would be shown twice', exitCodes.usage);
  }
  for (const directory of directories) await requireLog(directory);
  const filter = filterFor(options, io.clock(), await bindingsOf(directories, options.approval));
  const printer = new Printer(io, { filter, json: options.json, names: namesOf(directories) });
  for await (const lines of mergedLogs(directories)) {
    printer.take(
      lines.map(({ log, line: placed }) => ({ bytes: placed.bytes, line: placed.line, file: placed.place.file, log })),
    );
    // Wait for a slow reader, so that output does not accumulate in memory.
    await io.drained();
  }
  if (!options.json) io.err(`${inWords(printer)} Reading is not verifying: countersign audit verify.\n`);
  return printer.unreadable === 0 ? exitCodes.ok : exitCodes.failed;
}

/** The bindings that an approval was used with. A request is asked about before its approval has an id. */
async function bindingsOf(directories: readonly string[], approval: string | undefined): Promise<ReadonlySet<string>> {
  const bindings = new Set<string>();
  if (approval === undefined) return bindings;
  for await (const lines of mergedLogs(directories)) {
    for (const { line } of lines) {
      const record = line.line?.record;
      const binding = textAt(record, 'approval', 'binding');
      if (textAt(record, 'approval', 'id') === approval && binding !== undefined) bindings.add(binding);
    }
  }
  return bindings;
}

/** The last parts of the paths, if they differ. */
function namesOf(directories: readonly string[]): readonly string[] {
  if (directories.length === 1) return [];
  const names = directories.map((directory) => basename(resolve(directory)));
  return new Set(names).size === names.length ? names : directories;
}

const mostNamed = 5;

function inWords({ shown, open: { records, more } }: Printer): string {
  const found = `${shown} ${shown === 1 ? 'record' : 'records'}.`;
  if (records.length === 0) return found;
  const named = `${records.slice(0, mostNamed).join(', ')}${records.length > mostNamed ? ', …' : ''}`;
  const count = `${more ? 'At least ' : ''}${records.length}`;
  return `${found} ${count} of what was allowed has no outcome, after a crash or still running: ${named}.`;
}
