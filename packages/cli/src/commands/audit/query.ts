import { exitCodes } from '../../cli-error.js';
import type { Io } from '../../io.js';
import { type FilterOptions, filterFor } from './filter.js';
import { logsIn, twinsAmong } from './logs.js';
import { mergedLogs } from './merged-logs.js';
import { Printer } from './printer.js';
import { requireLog } from './sources.js';
import { printable } from '../../text.js';
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
  const logs = await logsIn(directories);
  for (const { directory } of logs) await requireLog(directory);
  for (const twins of await twinsAmong(logs)) io.err(`Caution: ${printable(twins)}\n`);
  const folders = logs.map(({ directory }) => directory);
  const filter = filterFor(options, io.clock(), await bindingsOf(folders, options.approval));
  const names = logs.length === 1 ? [] : logs.map(({ name }) => name);
  const printer = new Printer(io, { filter, json: options.json, names });
  for await (const lines of mergedLogs(folders)) {
    printer.take(
      lines.map(({ log, line: placed }) => ({ bytes: placed.bytes, line: placed.line, file: placed.place.file, log })),
    );
    // Wait for a slow reader, so that output does not accumulate in memory.
    await io.drained();
  }
  if (printer.open.more) io.err('Too many decisions were open at once: outcomes of the oldest may be missing.\n');
  if (!options.json)
    io.err(
      `${inWords(printer)} ${printer.shortened ? 'Long ids are shortened; --json has them whole. ' : ''}Reading is not verifying: countersign audit verify.\n`,
    );
  const [only = '', another] = folders;
  if (!options.json && another === undefined && printer.denied !== undefined) io.err(explainLine(only, printer.denied));
  return printer.unreadable === 0 ? exitCodes.ok : exitCodes.failed;
}

function explainLine(folder: string, record: number): string {
  const command = `countersign policy explain policies --log ${printable(folder)} --record ${record} --agents agents.json`;
  return `What policy lacked: ${command}\n`;
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

const mostNamed = 5;

function inWords({ shown, open: { records, more } }: Printer): string {
  const found = `${shown} ${shown === 1 ? 'record' : 'records'}.`;
  if (records.length === 0) return found;
  const named = `${records.slice(0, mostNamed).join(', ')}${records.length > mostNamed ? ', …' : ''}`;
  const count = `${more ? 'At least ' : ''}${records.length}`;
  return `${found} ${count} of what was allowed has no outcome, after a crash or still running: ${named}.`;
}
