import { basename, resolve } from 'node:path';
import { CliError, exitCodes } from '../../cli-error.js';
import type { Io } from '../../io.js';
import { Collector, type LogToCollect } from '../../report/collector.js';
import { entriesOf } from '../../report/entries.js';
import { page } from '../../report/page.js';
import { printable } from '../../text.js';
import { writePrivateFile } from '../private-file.js';
import { type FilterOptions, filterFor, filterNames } from './filter.js';
import { type LogFolder, logsIn, logsToVerify } from './logs.js';
import { Matcher } from './matcher.js';
import { requireLog } from './sources.js';
import { counted, verdictOn } from './verdict.js';
import { areTrusted, type VerifiedLog, type VerifiedLogs, verifyLogs } from './verify-logs.js';

export interface ReportOptions extends FilterOptions {
  readonly out: string;
  readonly force: boolean;
  readonly key?: string;
  readonly checkpoint: readonly string[];
  readonly archived: boolean;
  readonly latest: string;
}

/** Writes the page. If verification fails, the page and the exit code say so. */
export async function report(directory: string, options: ReportOptions, io: Io): Promise<number> {
  const { out, force, key, checkpoint, archived, latest } = options;
  const matcher = new Matcher(filterFor(options, io.clock()));
  // A browser cannot handle a larger page.
  if (!/^(?:[1-9][0-9]{0,4}|100000)$/.test(latest))
    throw new CliError('--latest must be from 1 to 100000', exitCodes.usage);
  if (options.key === undefined && checkpoint.length > 0) {
    throw new CliError('--checkpoint says nothing without --key', exitCodes.usage);
  }
  const logs = key === undefined ? await logsIn([directory]) : await logsToVerify(directory, checkpoint);
  // If the segments are gone, verification reports the missing records.
  if (key === undefined) for (const log of logs) await requireLog(log.directory);
  const verified = key === undefined ? undefined : await verifyLogs(logs, { key, checkpoint, archived }, io);

  const collector = new Collector({
    matcher,
    logs: (verified?.logs ?? logs).map(toCollect),
    isVerified: verified !== undefined,
    most: Number(latest),
  });
  await collector.read();
  const { summary, unreadable } = collector;
  const records = collector.latest();
  const markup = page({
    log: nameOf(directory, verified),
    made: new Date(io.clock()).toISOString(),
    verified,
    chosen: chosen(options),
    summary,
    unreadable,
    entries: entriesOf(records),
    listedRecords: records.length,
  });
  // The page has the content of the log, so only its owner may read it.
  await writePrivateFile(out, markup, { overwrite: force, holds: 'what it holds' });
  io.err(`${inWords(verified)} Report: ${printable(out)}\n`);
  return verified === undefined || areTrusted(verified) ? exitCodes.ok : exitCodes.unproven;
}

function inWords(verified: VerifiedLogs | undefined): string {
  if (verified === undefined) return 'Nothing was verified (--key).';
  const [first] = verified.logs;
  if (verified.logs.length === 1 && first !== undefined && 'report' in first && verified.problems.length === 0) {
    return verdictOn(first.report);
  }
  const logs = counted(verified.logs.length, 'log');
  return areTrusted(verified) ? `The ${logs} are whole.` : `Of ${logs}, NOT all are as they were written.`;
}

/** The name of the only log, or of the folder. */
function nameOf(directory: string, verified: VerifiedLogs | undefined): string {
  const [log] = verified?.logs ?? [];
  const isOne = verified?.logs.length === 1 && log !== undefined && 'origin' in log;
  return isOne ? log.origin : basename(resolve(directory));
}

function toCollect(log: LogFolder | VerifiedLog, _: number, { length }: { readonly length: number }): LogToCollect {
  return {
    directory: log.directory,
    ...(length > 1 && { name: log.name }),
    ...('report' in log && { report: log.report }),
  };
}

function chosen(options: ReportOptions): readonly string[] {
  return filterNames.flatMap((name) =>
    options[name] === undefined ? [] : [options[name] === true ? name : `${name} ${options[name]}`],
  );
}
