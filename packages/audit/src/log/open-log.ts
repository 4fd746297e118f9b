import { randomBytes } from 'node:crypto';
import { truncateSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import { type Checkpoint, openCheckpoint } from '@countersign/audit-verifier';
import { codeOf, ConfigError } from '@countersign/common';
import { AppendFile, type FileOperations } from '../disk/append-file.js';
import type { AuditFileSettings } from './audit-file-options.js';
import { type CheckpointFile, openCheckpointFile } from '../checkpoints/checkpoint-file.js';
import { type CheckpointSigner, checkpointSigner, readOrCreateKey } from '../checkpoints/checkpoint-signer.js';
import { checkNewLog } from './check-new-log.js';
import { LogChain } from './log-chain.js';
import { openForAppend, segmentsIn, verifierKeyFileName } from '../disk/log-files.js';
import type { LogLock } from '../disk/log-lock.js';
import { renderOwn } from './log-record.js';
import { LogWriter, type OpenSegment, type SegmentSettings, startSegment } from './log-writer.js';
import { readLogEnd, type LogEnd, originOf } from './read-log-end.js';
import {
  describeTorn,
  quarantineTornBytes,
  quarantineUnstartedSegment,
  type TornBytes,
  segmentOfTornFile,
  tornSuffix,
} from './torn-bytes.js';
import { unreportedTornBytes } from './unreported-torn-bytes.js';
import { replaceAtomically } from '../disk/atomic-file.js';
import { rewriteAndSync } from '../disk/rewrite-bytes.js';

/**
 * Opens the log of a locked folder, or creates it. Torn bytes at its end are quarantined and recorded; anything else that
 * is wrong stops the start.
 */
export function openLog(
  directory: string,
  settings: AuditFileSettings,
  operations: FileOperations,
  lock: LogLock,
): LogWriter {
  const { clock } = settings;
  const suffix = tornSuffix(clock());
  const segments = quarantineUnstartedSegment(segmentsIn(directory), suffix);
  if (segments.length === 0) checkNewLog(directory);
  const origin = originOf(segments) ?? newOrigin(directory, settings.origin);
  if (settings.origin !== undefined && !isOriginOf(settings.origin, origin)) throw otherOrigin(directory, origin);
  const checkpoints = openCheckpointFile(directory, origin, operations);
  try {
    const key = settings.checkpointKey ?? readOrCreateKey(settings.checkpointKeyFile, segments.length === 0);
    const signer = checkpointSigner(origin, key);
    const sealed = lastCheckpoint(checkpoints, signer, directory);
    const end = readLogEnd(segments, sealed);
    const log = { ...settings, directory, origin, signer, operations, lock };
    const unreported = unreportedTornBytes(directory, end ?? { number: 1, validBytes: 0 });
    const quarantined = end === undefined ? [] : quarantineTornEnd(end, unreported, suffix);
    const segment = end === undefined ? startSegment(log, 1, new LogChain(), {}) : continueSegment(log, end);
    try {
      const note = checkpoints.last ?? sealFirst(segment, signer, checkpoints);
      // Only after the first checkpoint: the key file marks a folder that holds a log.
      replaceAtomically(join(directory, verifierKeyFileName), `${signer.verifierKey}\n`, 0o644);
      reportTornBytes(segment, [...unreported, ...quarantined], clock());
      return new LogWriter(log, checkpoints, segment, sealed?.size ?? 1, note);
    } catch (error) {
      segment.file.close();
      throw error;
    }
  } catch (error) {
    checkpoints.close();
    throw error;
  }
}

/**
 * Makes the first checkpoint of a log with only its first record, before any record is acknowledged. Therefore a longer
 * log without checkpoints was tampered with.
 */
function sealFirst({ file, chain }: OpenSegment, signer: CheckpointSigner, checkpoints: CheckpointFile): string {
  // An earlier start may have crashed before its sync.
  file.appendNow(Buffer.alloc(0));
  const note = signer.sign({ size: chain.size, root: chain.root });
  checkpoints.appendNow(note);
  return note;
}

/** Writes a `recovered` record for each file of torn bytes. */
function reportTornBytes({ file, chain }: OpenSegment, torn: readonly TornBytes[], time: number): void {
  const records = torn.map((recovered) => renderOwn({ phase: 'recovered', recovered }, time));
  if (records.length > 0) file.appendNow(Buffer.concat(records.map((record) => chain.append(record))));
}

/** Quarantines the torn end, unless an earlier start that failed has quarantined the same bytes. */
function quarantineTornEnd(
  { path, number, torn }: LogEnd,
  unreported: readonly TornBytes[],
  suffix: string,
): readonly TornBytes[] {
  if (torn.length === 0) return [];
  const { bytes, sha256 } = describeTorn(path, torn);
  const isKept = unreported.some(
    (kept) => segmentOfTornFile(kept.file) === number && kept.bytes === bytes && kept.sha256 === sha256,
  );
  return isKept ? [] : [describeTorn(quarantineTornBytes(path, torn, suffix), torn)];
}

/** Continues the last segment, or starts a new one if the torn end cannot be truncated. */
function continueSegment(log: SegmentSettings, end: LogEnd): OpenSegment {
  const { path, number, chain, validBytes, torn } = end;
  if (torn.length === 0 || truncate(path, validBytes)) return reopenSegment(log, end);
  // The file is append-only: it stays as it is, and the next segment declares its end void.
  const { bytes: voidBytes, sha256 } = describeTorn(path, torn);
  return startSegment(log, number + 1, chain, { fenced: { validBytes, voidBytes, sha256 } });
}

function reopenSegment({ operations }: SegmentSettings, end: LogEnd): OpenSegment {
  const { path, number, chain, startedAt, sealedBytes, unsealed, validBytes } = end;
  rewriteAndSync(path, sealedBytes, unsealed, operations);
  return { file: new AppendFile(path, openForAppend(path), operations, validBytes), number, chain, startedAt };
}

/** @returns false if the file is append-only. */
function truncate(path: string, size: number): boolean {
  try {
    truncateSync(path, size);
  } catch (error) {
    if (codeOf(error) === 'EPERM') return false;
    throw error;
  }
  return true;
}

function lastCheckpoint(
  { last }: CheckpointFile,
  { verifierKey }: CheckpointSigner,
  directory: string,
): Checkpoint | undefined {
  if (last === undefined) return undefined;
  const opened = openCheckpoint(last, verifierKey);
  if (opened.ok) return opened.checkpoint;
  throw new ConfigError(
    `auditFile: the last checkpoint in '${directory}' is not signed with the key of this log. ` +
      'Give the key that it was begun with as `checkpointKey`, or begin a new log in another folder.',
  );
}

/** A unique name: checkpoints of one log must not pass for those of another with the same key. */
function newOrigin(directory: string, given: string | undefined): string {
  const made = [hostname(), basename(directory)].map((word) => word.replaceAll(/[^\w.-]/g, '-')).join('/');
  return `${given ?? made}/${randomBytes(4).toString('hex')}`;
}

/** Whether `given` is the name of the log, with or without its random part. */
function isOriginOf(given: string, origin: string): boolean {
  return origin === given || (origin.startsWith(`${given}/`) && /^[\da-f]{8}$/.test(origin.slice(given.length + 1)));
}

function otherOrigin(directory: string, origin: string): ConfigError {
  return new ConfigError(`auditFile: the log in '${directory}' is named '${origin}'. A log keeps its name.`);
}
