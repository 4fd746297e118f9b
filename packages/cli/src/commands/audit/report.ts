import { writeFile } from 'node:fs/promises';
import { basename, resolve } from 'node:path';
import { parseVerifierKey, readLog } from '@countersign/audit-verifier';
import { CliError, exitCodes } from '../../cli-error.js';
import type { Io } from '../../io.js';
import { entriesOf, Latest } from '../../report/entries.js';
import { page } from '../../report/page.js';
import { Summary } from '../../report/summary.js';
import { printable } from '../../text.js';
import { type FilterOptions, filterFor } from './filter.js';
import { recordFacts } from './record-facts.js';
import { readKey, requireLog } from './sources.js';
import { isTrusted, verdictOn } from './verdict.js';
import { verifiedLog } from './verify.js';

export interface ReportOptions extends FilterOptions {
  readonly out: string;
  readonly key?: string;
  readonly checkpoint: readonly string[];
  readonly archived: boolean;
  readonly latest: string;
}

/** What happened; not what the log says of itself. */
const phases: readonly string[] = ['authentication', 'decision', 'outcome'];

/** Writes the page, also of a log that is not right: then the page says so, and so does the exit code. */
export async function report(directory: string, options: ReportOptions, io: Io): Promise<number> {
  const { out, checkpoint, archived, latest } = options;
  const filter = filterFor(options, io.clock());
  if (!/^[1-9][0-9]{0,5}$/.test(latest)) throw new CliError('--latest must be from 1 to 999999', exitCodes.usage);
  if (options.key === undefined && checkpoint.length > 0) {
    throw new CliError('--checkpoint says nothing without --key', exitCodes.usage);
  }
  await requireLog(directory);
  const key = options.key === undefined ? undefined : await readKey(options.key, directory, io);
  const verified = key === undefined ? undefined : await verifiedLog(directory, { key, checkpoint, archived }, io);

  const summary = new Summary();
  const kept = new Latest(Number(latest));
  let unreadable = 0;
  for await (const lines of readLog(directory, () => {})) {
    for (const { line } of lines) {
      if (line === undefined) unreadable += 1;
      const facts = line && recordFacts(line.sequence, line.record);
      if (facts === undefined || !phases.includes(facts.phase)) continue;
      if (!filter(facts) && !summary.open.endsWith(facts)) continue;
      summary.take(facts);
      kept.take(facts);
    }
  }
  const records = kept.list();
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
  // It holds what the log holds, so no more people may read it.
  await writeFile(out, markup, { mode: 0o600 });
  io.err(
    `${verified === undefined ? 'Nothing was verified (--key).' : verdictOn(verified)} Report: ${printable(out)}\n`,
  );
  return verified === undefined || isTrusted(verified) ? exitCodes.ok : exitCodes.unproven;
}

function chosen(options: ReportOptions): readonly string[] {
  const names = [
    'actor',
    'subject',
    'resource',
    'action',
    'decision',
    'phase',
    'code',
    'request',
    'since',
    'until',
  ] as const;
  return names.flatMap((name) => (options[name] === undefined ? [] : [`${name} ${options[name]}`]));
}
