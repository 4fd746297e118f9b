import type { LogReport } from '@countersign/audit-verifier';
import { exitCodes } from '../../cli-error.js';
import { type Colours, coloursFor, type Io } from '../../io.js';
import { printable, printableJson } from '../../text.js';
import { logsToVerify } from './logs.js';
import { readKeys } from './sources.js';
import { isTrusted, placeOf, sealOf, verdictOn } from './verdict.js';
import { areTrusted, type VerifiedLog, type VerifiedLogs, type VerifyLogsOptions, verifyLogs } from './verify-logs.js';

export interface VerifyOptions extends VerifyLogsOptions {
  readonly json: boolean;
}

/** Verifies the logs in a folder against their seals and reports the wrong records. Returns the exit code. */
export async function verify(directory: string, options: VerifyOptions, io: Io): Promise<number> {
  // What is no key is told whether or not there is a log.
  if (options.key !== undefined) await readKeys(options.key, [], io);
  const verified = await verifyLogs(await logsToVerify(directory, options.checkpoint), options, io);
  const trusted = areTrusted(verified);
  io.out(options.json ? `${printableJson(asJson(verified, trusted))}\n` : inWords(verified, coloursFor(io.colour.out)));
  return trusted ? exitCodes.ok : exitCodes.unproven;
}

/** Of one log, what it was before there could be several. */
function asJson({ logs, problems }: VerifiedLogs, trusted: boolean): object {
  const [first] = logs;
  if (logs.length === 1 && first !== undefined && 'report' in first && problems.length === 0) {
    return { ...first.report, trusted };
  }
  return {
    trusted,
    problems,
    logs: logs.map((log) => ({ ...log, trusted: 'report' in log && isTrusted(log.report) })),
  };
}

function inWords({ logs, problems }: VerifiedLogs, colours: Colours): string {
  const isOne = logs.length === 1;
  const parts = logs.map((log) => (isOne ? '' : `${colours.dim(printable(log.name))}\n`) + wordsOn(log, colours));
  const others = problems.map((problem) => `${colours.red(printable(problem))}\n`);
  return [...parts, ...(others.length === 0 ? [] : [others.join('')])].join(isOne ? '' : '\n');
}

function wordsOn(log: VerifiedLog, colours: Colours): string {
  return 'report' in log ? wordsOnReport(log.report, colours) : `${colours.red(printable(log.problem))}\n`;
}

function wordsOnReport(report: LogReport, colours: Colours): string {
  const { findings, findingCount, remarks } = report;
  const verdict = (isTrusted(report) ? colours.green : colours.red)(verdictOn(report));
  const lines = findings.map((finding) => {
    const place = placeOf(finding);
    return `  ${finding.kind.padEnd(18)}  ${printable(finding.message)}${place === '' ? '' : ` (${printable(place)})`}`;
  });
  if (findingCount > findings.length) lines.push(`  and ${findingCount - findings.length} more`);
  const notes = remarks.map((remark) => `  ${printable(remark)}`);
  return `${[verdict, ...lines, sealOf(report), ...notes].join('\n')}\n`;
}
