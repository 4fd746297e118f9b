import { basename, resolve } from 'node:path';
import { parseVerifierKey } from '@countersign/audit-verifier';
import { CliError, exitCodes } from '../../cli-error.js';
import type { Io } from '../../io.js';
import { Collector } from '../../report/collector.js';
import { entriesOf } from '../../report/entries.js';
import { page } from '../../report/page.js';
import { printable } from '../../text.js';
import { writePrivateFile } from '../private-file.js';
import { type FilterOptions, filterFor, filterNames } from './filter.js';
import { Matcher } from './matcher.js';
import { hasCheckpoints, readKey, requireLog } from './sources.js';
import { isTrusted, verdictOn } from './verdict.js';
import { verifiedLog } from './verify.js';

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
  const { out, force, checkpoint, archived, latest } = options;
  const matcher = new Matcher(filterFor(options, io.clock()));
  // A browser cannot handle a larger page.
  if (!/^(?:[1-9][0-9]{0,4}|100000)$/.test(latest))
    throw new CliError('--latest must be from 1 to 100000', exitCodes.usage);
  if (options.key === undefined && checkpoint.length > 0) {
    throw new CliError('--checkpoint says nothing without --key', exitCodes.usage);
  }
  // If the segments are gone, verification reports the missing records.
  const isToldOf = checkpoint.length > 0 || (await hasCheckpoints(directory));
  if (options.key === undefined || !isToldOf) await requireLog(directory);
  const key = options.key === undefined ? undefined : await readKey(options.key, directory, io);
  const verified = key === undefined ? undefined : await verifiedLog(directory, { key, checkpoint, archived }, io);

  const collector = new Collector({ matcher, verified, most: Number(latest) });
  await collector.read(directory);
  const { summary, unreadable } = collector;
  const records = collector.latest();
  const markup = page({
    log: (key === undefined ? undefined : parseVerifierKey(key)?.name) ?? basename(resolve(directory)),
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
  io.err(
    `${verified === undefined ? 'Nothing was verified (--key).' : verdictOn(verified)} Report: ${printable(out)}\n`,
  );
  return verified === undefined || isTrusted(verified) ? exitCodes.ok : exitCodes.unproven;
}

function chosen(options: ReportOptions): readonly string[] {
  return filterNames.flatMap((name) =>
    options[name] === undefined ? [] : [options[name] === true ? name : `${name} ${options[name]}`],
  );
}
