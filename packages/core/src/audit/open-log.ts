import { randomBytes } from 'node:crypto';
import { truncateSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import { type Checkpoint, openCheckpoint } from '@countersign/audit-verifier';
import { ConfigError } from '../config-error.js';
import { AppendFile, type FileOperations } from './append-file.js';
import type { AuditFileSettings } from './audit-file-options.js';
import { type CheckpointFile, openCheckpointFile } from './checkpoint-file.js';
import { type CheckpointSigner, checkpointSigner, readOrMakeKey } from './checkpoint-signer.js';
import { LogChain } from './log-chain.js';
import { openForAppend, segmentsIn } from './log-files.js';
import { renderOwn } from './log-record.js';
import { LogWriter, type OpenSegment, type SegmentSettings, startSegment } from './log-writer.js';
import { findLog, type FoundLog, originOf } from './recover-log.js';
import { keepTornBytes, putUnfinishedAside } from './torn-bytes.js';

/** Where the verifier key of a log stands, for whoever verifies it. */
export const verifierKeyFileName = 'checkpoint.vkey';

/**
 * Opens a log that nobody else writes, or begins one. What a crash has torn off its end is put aside, and the log says
 * so; anything else that is wrong with it stops the start.
 */
export function openLog(directory: string, settings: AuditFileSettings, operations: FileOperations): LogWriter {
  const { clock } = settings;
  const suffix = `.torn-${new Date(clock()).toISOString().replaceAll(':', '-')}`;
  const { segments, torn } = putUnfinishedAside(segmentsIn(directory), suffix);
  const checkpoints = openCheckpointFile(directory, operations);
  try {
    const key = settings.checkpointKey ?? readOrMakeKey(settings.checkpointKeyFile);
    const origin = originOf(segments) ?? settings.origin ?? newOrigin(directory);
    if (settings.origin !== undefined && settings.origin !== origin) throw otherOrigin(directory, origin);
    const signer = checkpointSigner(origin, key);
    const sealed = lastSealed(checkpoints, signer, directory);
    const found = findLog(segments, sealed);
    if (found === undefined && sealed !== undefined) throw gone(directory, sealed.size);
    writeFileSync(join(directory, verifierKeyFileName), `${signer.verifierKey}\n`, { mode: 0o644 });
    const log = { ...settings, directory, origin, signer, operations };
    const told = torn === undefined ? [] : [renderOwn({ phase: 'recovered', recovered: torn }, clock())];
    const segment =
      found === undefined ? startSegment(log, 1, new LogChain(), {}, told) : goOn(log, found, told, suffix);
    return new LogWriter(log, checkpoints, segment, sealed?.size ?? 0);
  } catch (error) {
    checkpoints.close();
    throw error;
  }
}

/** Goes on with the last segment, or with a new one where its end is torn and cannot be cut off. */
function goOn(log: SegmentSettings, found: FoundLog, told: readonly string[], suffix: string): OpenSegment {
  const { path, number, chain, validBytes, torn, startedAt } = found;
  if (torn.length === 0) return appendTo(log, found, told);
  const recovered = keepTornBytes(path, torn, suffix);
  const records = [...told, renderOwn({ phase: 'recovered', recovered }, log.clock())];
  if (cutOff(path, validBytes)) return appendTo(log, { path, number, chain, startedAt }, records);
  // The file can only grow: it is left as it is, and the next segment says from where on it is void.
  const fenced = { validBytes, voidBytes: recovered.bytes, sha256: recovered.sha256 };
  return startSegment(log, number + 1, chain, { fenced }, records);
}

function appendTo(
  { operations }: SegmentSettings,
  { path, number, chain, startedAt }: Pick<FoundLog, 'path' | 'number' | 'chain' | 'startedAt'>,
  records: readonly string[],
): OpenSegment {
  const file = new AppendFile(path, openForAppend(path), operations);
  try {
    if (records.length > 0) file.appendNow(Buffer.from(records.map((record) => chain.seal(record)).join('')));
    return { file, number, chain, startedAt };
  } catch (error) {
    file.close();
    throw error;
  }
}

function cutOff(path: string, size: number): boolean {
  try {
    truncateSync(path, size);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EPERM') return false;
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

/** A name that no other log has: checkpoints of one log must never pass for those of another. */
function newOrigin(directory: string): string {
  const words = [hostname(), basename(directory), randomBytes(4).toString('hex')];
  return words.map((word) => word.replaceAll(/[^\w.-]/g, '-')).join('/');
}

function otherOrigin(directory: string, origin: string): ConfigError {
  return new ConfigError(`auditFile: the log in '${directory}' is named '${origin}'. A log keeps its name.`);
}

function gone(directory: string, sealed: number): ConfigError {
  return new ConfigError(
    `auditFile: '${directory}' holds a checkpoint of ${sealed} records, but no records. ` +
      'Find out who removed them, and begin a new log in another folder.',
  );
}
