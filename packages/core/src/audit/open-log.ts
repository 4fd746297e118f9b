import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, ftruncateSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { basename, join } from 'node:path';
import { type Checkpoint, openCheckpoint } from '@countersign/audit-verifier';
import { ConfigError } from '../config-error.js';
import { AppendFile, type FileOperations } from './append-file.js';
import type { AuditFileSettings } from './audit-file-options.js';
import { type CheckpointFile, openCheckpointFile } from './checkpoint-file.js';
import { type CheckpointSigner, checkpointSigner, readOrMakeKey } from './checkpoint-signer.js';
import { LogChain } from './log-chain.js';
import { openForAppend, segmentsIn, syncDirectory } from './log-files.js';
import { renderOwn } from './log-record.js';
import { LogWriter, type OpenSegment, type SegmentSettings, startSegment } from './log-writer.js';
import { digestOf, findLog, type FoundLog, originOf, putUnfinishedAside } from './recover-log.js';

/** Where the verifier key of a log stands, for whoever verifies it. */
export const verifierKeyFileName = 'checkpoint.vkey';

/**
 * Opens a log that nobody else writes, or begins one. What a crash has torn off its end is put aside, and the log says
 * so; anything else that is wrong with it stops the start.
 */
export function openLog(directory: string, settings: AuditFileSettings, operations: FileOperations): LogWriter {
  const { clock } = settings;
  const suffix = `.torn-${new Date(clock()).toISOString().replaceAll(':', '-')}`;
  const segments = putUnfinishedAside(segmentsIn(directory), suffix);
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
    const segment = found === undefined ? startSegment(log, 1, new LogChain(), {}) : goOn(log, found, suffix);
    return new LogWriter(log, checkpoints, segment, sealed?.size ?? 0);
  } catch (error) {
    checkpoints.close();
    throw error;
  }
}

function goOn(log: SegmentSettings, found: FoundLog, suffix: string): OpenSegment {
  const { path, number, chain, validBytes, torn, startedAt } = found;
  const descriptor = openForAppend(path);
  try {
    if (torn.length === 0) return { file: new AppendFile(path, descriptor, log.operations), number, chain, startedAt };
    const aside = `${basename(path)}${suffix}`;
    writeFileSync(join(log.directory, aside), torn, { flag: 'wx', mode: 0o600, flush: true });
    syncDirectory(log.directory);
    const recovered = { bytes: torn.length, sha256: digestOf(torn), file: aside };
    const record = renderOwn({ phase: 'recovered', recovered }, log.clock());
    if (!cutOff(descriptor, validBytes)) {
      // The file can only grow: it is left as it is, and the next segment says from where on it is void.
      closeSync(descriptor);
      const fenced = { validBytes, voidBytes: torn.length, sha256: recovered.sha256 };
      return startSegment(log, number + 1, chain, { fenced }, [record]);
    }
    const file = new AppendFile(path, descriptor, log.operations);
    file.appendNow(Buffer.from(chain.seal(record)));
    return { file, number, chain, startedAt };
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

function cutOff(descriptor: number, size: number): boolean {
  try {
    ftruncateSync(descriptor, size);
    fsyncSync(descriptor);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EPERM') return false;
    throw error;
  }
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
