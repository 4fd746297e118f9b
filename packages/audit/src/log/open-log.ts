import { randomBytes } from 'node:crypto';
import { truncateSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import { type Checkpoint, openCheckpoint } from '@countersign/audit-verifier';
import { codeOf, ConfigError } from '@countersign/common';
import { AppendFile, type FileOperations } from '../disk/append-file.js';
import type { AuditFileSettings } from './audit-file-options.js';
import { type CheckpointFile, openCheckpointFile } from '../checkpoints/checkpoint-file.js';
import { type CheckpointSigner, checkpointSigner, readOrMakeKey } from '../checkpoints/checkpoint-signer.js';
import { checkIsNew } from '../disk/is-new.js';
import { LogChain } from './log-chain.js';
import { openForAppend, segmentsIn, verifierKeyFileName } from './log-files.js';
import type { LogLock } from '../disk/log-lock.js';
import { renderOwn } from './log-record.js';
import { LogWriter, type OpenSegment, type SegmentSettings, startSegment } from './log-writer.js';
import { findLog, type FoundLog, originOf } from './recover-log.js';
import {
  describeTorn,
  keepTornBytes,
  putUnfinishedAside,
  type TornBytes,
  tornSegment,
  tornSuffix,
} from '../disk/torn-bytes.js';
import { unreportedTornBytes } from '../disk/unreported-torn-bytes.js';
import { replaceWhole } from '../disk/whole-file.js';
import { writeAgain } from '../disk/write-again.js';

/**
 * Opens a log that nobody else writes, or begins one. What a crash has torn off its end is put aside, and the log says
 * so; anything else that is wrong with it stops the start.
 */
export function openLog(
  directory: string,
  settings: AuditFileSettings,
  operations: FileOperations,
  lock: LogLock,
): LogWriter {
  const { clock } = settings;
  const suffix = tornSuffix(clock());
  const segments = putUnfinishedAside(segmentsIn(directory), suffix);
  if (segments.length === 0) checkIsNew(directory);
  const origin = originOf(segments) ?? newOrigin(directory, settings.origin);
  if (settings.origin !== undefined && !isOriginOf(settings.origin, origin)) throw otherOrigin(directory, origin);
  const checkpoints = openCheckpointFile(directory, origin, operations);
  try {
    const key = settings.checkpointKey ?? readOrMakeKey(settings.checkpointKeyFile, segments.length === 0);
    const signer = checkpointSigner(origin, key);
    const sealed = lastSealed(checkpoints, signer, directory);
    const found = findLog(segments, sealed);
    const log = { ...settings, directory, origin, signer, operations, lock };
    const untold = unreportedTornBytes(directory, found ?? { number: 1, validBytes: 0 });
    const aside = found === undefined ? [] : keepTorn(found, untold, suffix);
    const segment = found === undefined ? startSegment(log, 1, new LogChain(), {}) : goOn(log, found);
    try {
      const note = checkpoints.last ?? sealFirst(segment, signer, checkpoints);
      // Not before there is a sealed record: it stands for a log that was begun.
      replaceWhole(join(directory, verifierKeyFileName), `${signer.verifierKey}\n`, 0o644);
      tell(segment, [...untold, ...aside], clock());
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
 * Seals a log that holds nothing but its first record. From then on a log without a checkpoint is one that somebody
 * took them from; and nothing is acknowledged before.
 */
function sealFirst({ file, chain }: OpenSegment, signer: CheckpointSigner, checkpoints: CheckpointFile): string {
  // A crash may have come before its sync.
  file.appendNow(Buffer.alloc(0));
  const note = signer.sign({ size: chain.size, root: chain.root });
  checkpoints.appendNow(note);
  return note;
}

/** Says in the log what was torn. */
function tell({ file, chain }: OpenSegment, torn: readonly TornBytes[], time: number): void {
  const records = torn.map((recovered) => renderOwn({ phase: 'recovered', recovered }, time));
  if (records.length > 0) file.appendNow(Buffer.from(records.map((record) => chain.seal(record)).join('')));
}

/** Puts aside what is torn, unless a start that failed before it could say so has put the same bytes aside already. */
function keepTorn(
  { path, number, torn }: FoundLog,
  untold: readonly TornBytes[],
  suffix: string,
): readonly TornBytes[] {
  if (torn.length === 0) return [];
  const { bytes, sha256 } = describeTorn(path, torn);
  const isKept = untold.some(
    (aside) => tornSegment(aside.file) === number && aside.bytes === bytes && aside.sha256 === sha256,
  );
  return isKept ? [] : [describeTorn(keepTornBytes(path, torn, suffix), torn)];
}

/** Goes on with the last segment, or with a new one where its end is torn and cannot be cut off. */
function goOn(log: SegmentSettings, found: FoundLog): OpenSegment {
  const { path, number, chain, validBytes, torn } = found;
  if (torn.length === 0 || cutOff(path, validBytes)) return appendTo(log, found);
  // The file can only grow: it is left as it is, and the next segment says from where on it is void.
  const { bytes: voidBytes, sha256 } = describeTorn(path, torn);
  return startSegment(log, number + 1, chain, { fenced: { validBytes, voidBytes, sha256 } });
}

function appendTo({ operations }: SegmentSettings, found: FoundLog): OpenSegment {
  const { path, number, chain, startedAt, sealedBytes, unsealed, validBytes } = found;
  writeAgain(path, sealedBytes, unsealed, operations);
  return { file: new AppendFile(path, openForAppend(path), operations, validBytes), number, chain, startedAt };
}

function cutOff(path: string, size: number): boolean {
  try {
    truncateSync(path, size);
  } catch (error) {
    if (codeOf(error) === 'EPERM') return false;
    throw error;
  }
  return true;
}

function lastSealed(
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

/** A name that no other log has: checkpoints of one log must never pass for those of another, also with one key. */
function newOrigin(directory: string, given: string | undefined): string {
  const made = [hostname(), basename(directory)].map((word) => word.replaceAll(/[^\w.-]/g, '-')).join('/');
  return `${given ?? made}/${randomBytes(4).toString('hex')}`;
}

/** Whether a log that was begun as `given`, or is called that in full, has this name. */
function isOriginOf(given: string, origin: string): boolean {
  return origin === given || (origin.startsWith(`${given}/`) && /^[\da-f]{8}$/.test(origin.slice(given.length + 1)));
}

function otherOrigin(directory: string, origin: string): ConfigError {
  return new ConfigError(`auditFile: the log in '${directory}' is named '${origin}'. A log keeps its name.`);
}
