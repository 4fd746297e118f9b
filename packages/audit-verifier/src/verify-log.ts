import { CheckpointCheck } from './checkpoint-check.js';
import { type CheckpointFile, readKeptCheckpoints, readOwnCheckpoints } from './checkpoint-file.js';
import { type Finding, Findings } from './finding.js';
import { LogCheck } from './log-check.js';
import { checkpointsFileName, listFalseFiles, listSegments, readCheckpointsFile, readFirstLine } from './log-folder.js';
import { readHeader, readLogLine } from './log-line.js';
import { parseVerifierKey } from './note.js';
import { readLog } from './read-log.js';

export interface VerifyLogOptions {
  /** The verifier key of the log, from somewhere else than its folder: `name+id+base64`. */
  readonly key: string;
  /**
   * Checkpoints that were kept elsewhere: the text of one note, or of several with blank lines between. If there are
   * several files, the text of each.
   */
  readonly checkpoints?: string | readonly string[];
  /** The oldest segments were moved to an archive: begin with the first one that is there. Default false. */
  readonly archived?: boolean;
}

export interface LogReport {
  /** Whether nothing is wrong. */
  readonly ok: boolean;
  /** At most 100; `findingCount` says how many there are. */
  readonly findings: readonly Finding[];
  readonly findingCount: number;
  /** The number of the last record. */
  readonly size: number;
  /** The first so many records are those that the key has sealed. What follows could be cut off without a trace. */
  readonly sealed: number;
  readonly segments: number;
  /** What an auditor should know, though nothing is wrong with it: crashes, and what was done after them. */
  readonly remarks: readonly string[];
}

/** Thrown when there is nothing to verify, or to verify it by: no log in the folder, no key, no checkpoint in a text. */
export class VerificationError extends Error {
  override readonly name = 'VerificationError';
}

/**
 * Verifies a whole log: each record in its place, and all of them those that were sealed. Reads a million records in
 * seconds and holds none of them. It may be written meanwhile.
 *
 * @throws VerificationError if the folder holds no log, the key is none, or a text of `checkpoints` holds none.
 *
 * @example
 * const { ok, findings } = await verifyLog('audit', { key: await readFile('checkpoint.vkey', 'utf8') });
 * for (const { message, file, line } of findings) console.log(message, file, line);
 */
export async function verifyLog(directory: string, options: VerifyLogOptions): Promise<LogReport> {
  const key = options.key.trim();
  const origin = parseVerifierKey(key)?.name;
  if (origin === undefined) throw new VerificationError('The key is no verifier key, like name+1234abcd+AbC….');
  const segments = await listSegments(directory).catch(() => []);
  const [oldest] = segments;
  if (oldest === undefined) throw new VerificationError(`There is no audit log in '${directory}'.`);

  const findings = new Findings();
  for (const file of await listFalseFiles(directory)) {
    findings.add({ kind: 'edited', file, message: `${file} is not a regular file. It is not opened.` });
  }
  const checkpoints = new CheckpointCheck(findings);
  checkpoints.read(readOwnCheckpoints(await readCheckpointsFile(directory)), key, checkpointsFileName, false);
  for (const [name, kept] of keptElsewhere(options.checkpoints ?? [])) checkpoints.read(kept, key, name, true);
  const first = readLogLine(await readFirstLine(oldest.path));
  const header = options.archived === true ? readHeader(first?.record) : undefined;
  const check = new LogCheck({ findings, checkpoints, origin, ...(header && first && { start: { header, first } }) });

  const remarks: string[] = [];
  for await (const lines of readLog(directory, (text) => void remarks.push(text))) {
    for (const line of lines) check.take(line);
  }
  // Checkpoints that were made while we read are no missing ones.
  checkpoints.claim(await readCheckpointsFile(directory));
  const size = check.end(checkpointsFileName);
  return {
    ok: findings.count === 0,
    findings: findings.list,
    findingCount: findings.count,
    size,
    sealed: checkpoints.sealed,
    segments: segments.length,
    remarks: [...check.remarks, ...remarks],
  };
}

/** A text without any must not pass for one that agrees. */
function keptElsewhere(checkpoints: string | readonly string[]): readonly (readonly [string, CheckpointFile])[] {
  const texts = typeof checkpoints === 'string' ? [checkpoints] : checkpoints;
  return texts.map((text, index) => {
    const name = `the checkpoints kept elsewhere${texts.length === 1 ? '' : ` (${index + 1})`}`;
    const kept = readKeptCheckpoints(text);
    if (kept.notes.length === 0) throw new VerificationError(`There is no whole checkpoint in ${name}.`);
    return [name, kept];
  });
}
