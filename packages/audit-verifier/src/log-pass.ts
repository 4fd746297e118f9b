import { CheckpointCheck } from './checkpoint-check.js';
import { type CheckpointFile, readOwnCheckpoints } from './checkpoint-file.js';
import { type Finding, Findings } from './finding.js';
import { LogCheck, type LogStart } from './log-check.js';
import { checkpointsFileName, listFalseFiles, listSegments, readCheckpointsFile, readFirstLine } from './log-folder.js';
import { readHeader, readLogLine, type SegmentHeader } from './log-line.js';
import type { VerifierKey } from './note.js';
import { openCheckpoints } from './open-checkpoints.js';
import { readLog } from './read-log.js';

/** The log to verify, and what to verify it with. */
export interface LogInput {
  readonly directory: string;
  readonly key: VerifierKey;
  readonly kept: readonly KeptCheckpoints[];
  /** Begin with the first segment that exists. */
  readonly archived: boolean;
}

/** Checkpoints that were kept elsewhere, with a name for reports. */
export interface KeptCheckpoints extends CheckpointFile {
  readonly name: string;
}

export interface LogReport {
  /** True if there is no finding. */
  readonly ok: boolean;
  /** At most 100; `findingCount` is the total. */
  readonly findings: readonly Finding[];
  readonly findingCount: number;
  /** The number of the last record. */
  readonly size: number;
  /** The first so many records match a checkpoint. Later ones could be changed or cut off without a trace. */
  readonly sealed: number;
  /** True if the only later record is the log's own record of that checkpoint: so a closed log ends. */
  readonly endsWithSeal: boolean;
  /**
   * The leaf hash of the last sealed record, in hexadecimal, if that record exists. With it and each `prev` a second read
   * can check that it sees the verified records.
   */
  readonly sealedHash?: string;
  readonly segments: number;
  /** Facts for an auditor that are not wrong: crashes and their recovery. */
  readonly remarks: readonly string[];
}

/** Nothing could be verified: there is no log in the folder, no valid key, or no checkpoint in a text. */
export class VerificationError extends Error {
  override readonly name = 'VerificationError';
}

/**
 * Reads a log once. `trusted`: the first so many records are assumed to match a checkpoint, and not parsed (default: the
 * size of the largest signed checkpoint, `signed`). If that exceeds `sealed` of the report, findings may be missing.
 */
export async function verifyOnce(
  log: LogInput,
  trusted?: number,
): Promise<{ readonly report: LogReport; readonly signed: number }> {
  const { directory, key } = log;
  const segments = await segmentsOf(directory);
  const findings = new Findings();
  for (const file of await listFalseFiles(directory)) {
    findings.add({ kind: 'edited', file, message: `${file} is not a regular file. It is not opened.` });
  }
  const remarks: string[] = [];
  const checkpoints = await readCheckpoints(log, findings, remarks);
  const { signed } = checkpoints;
  // Without segments the whole log was cut off, unless no checkpoint mentions one.
  if (segments.length === 0 && signed === 0 && findings.count === 0) {
    throw new VerificationError(`There is no audit log in '${directory}'.`);
  }

  const start = log.archived ? await readStart(segments) : {};
  const check = new LogCheck({ findings, checkpoints, origin: key.name, trusted: trusted ?? signed, ...start });
  for await (const lines of readLog(directory, (text) => void remarks.push(text))) {
    for (const line of lines) check.take(line);
  }
  // Read again: checkpoints made during this pass are not missing.
  checkpoints.markPresent(await readCheckpointsFile(directory));
  const size = check.end(checkpointsFileName);
  const report = {
    ok: findings.count === 0,
    findings: findings.list,
    findingCount: findings.count,
    size,
    sealed: checkpoints.sealed,
    endsWithSeal: check.endsWithSeal,
    ...(check.sealedHash !== undefined && { sealedHash: check.sealedHash }),
    segments: segments.length,
    remarks: [...check.remarks, ...remarks],
  };
  return { report, signed };
}

async function segmentsOf(directory: string): ReturnType<typeof listSegments> {
  try {
    return await listSegments(directory);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new VerificationError(`The folder '${directory}' cannot be read (${code}).`);
  }
}

/** The claim of the oldest segment about those before it. */
async function readStart([oldest]: Awaited<ReturnType<typeof listSegments>>): Promise<{ readonly start?: LogStart }> {
  if (oldest === undefined) return {};
  const first = readLogLine(await readFirstLine(oldest.path));
  const header = readHeader(first?.record);
  if (first === undefined || header?.size !== first.sequence - 1 || !isFrontier(header)) return {};
  return { start: { header, first, place: { file: oldest.file, line: 1 } } };
}

/** One hash for each 1 in the binary size; another number of hashes could stand for a tree of another size. */
function isFrontier({ size, frontier }: SegmentHeader): boolean {
  return frontier.length === size.toString(2).replaceAll('0', '').length;
}

/** The checkpoints in the folder, and those that were kept elsewhere. */
async function readCheckpoints(
  { directory, key, kept }: LogInput,
  findings: Findings,
  remarks: string[],
): Promise<CheckpointCheck> {
  const checkpoints = new CheckpointCheck(findings);
  const own = readOwnCheckpoints(await readCheckpointsFile(directory));
  checkpoints.add(openCheckpoints(own, { file: checkpointsFileName, outside: false }, key, findings).signed, false);
  for (const { name, ...file } of kept) {
    const { signed, others } = openCheckpoints(file, { file: name, outside: true }, key, findings);
    // A text without checkpoints of this log must not pass for one that agrees.
    if (others === file.notes.length) throw new VerificationError(`There is no checkpoint of this log in ${name}.`);
    if (others === 1) remarks.push(`A checkpoint of another log in ${name} was skipped.`);
    else if (others > 1) remarks.push(`${others} checkpoints of other logs in ${name} were skipped.`);
    checkpoints.add(signed, true);
  }
  return checkpoints;
}
