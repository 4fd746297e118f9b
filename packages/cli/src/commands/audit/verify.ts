import { type LogReport, VerificationError, verifyLog } from '@countersign/audit-verifier';
import { CliError, exitCodes } from '../../cli-error.js';
import { type Colours, coloursFor, type Io } from '../../io.js';
import { printable, printableJson } from '../../text.js';
import { readCheckpoints, readKey, readOwnKey } from './sources.js';
import { isTrusted, placeOf, sealOf, verdictOn } from './verdict.js';

export interface VerifyOptions {
  /** Default: the key in the folder of the log. */
  readonly key?: string;
  readonly checkpoint: readonly string[];
  readonly archived: boolean;
  readonly json: boolean;
}

/** Verifies a log against its seals and reports the wrong records. Returns the exit code. */
export async function verify(directory: string, options: VerifyOptions, io: Io): Promise<number> {
  const report = await verifiedLog(directory, options, io);
  const trusted = isTrusted(report);
  io.out(options.json ? `${printableJson({ ...report, trusted })}\n` : inWords(report, coloursFor(io.colour.out)));
  return trusted ? exitCodes.ok : exitCodes.unproven;
}

export async function verifiedLog(
  directory: string,
  { key, checkpoint, archived }: Omit<VerifyOptions, 'json'>,
  io: Io,
): Promise<LogReport> {
  const checkpoints = await readCheckpoints(checkpoint);
  try {
    return await verifyLog(directory, {
      key: key === undefined ? await readOwnKey(directory, io) : await readKey(key, directory, io),
      checkpoints,
      archived,
    });
  } catch (error) {
    if (error instanceof VerificationError) throw new CliError(error.message);
    throw error;
  }
}

function inWords(report: LogReport, colours: Colours): string {
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
