import { resolve } from 'node:path';
import { ConfigError, errorMessage } from '@countersign/common';
import { type FileOperations, fileOperations } from '../disk/append-file.js';
import { type AuditFileOptions, readAuditFileOptions } from './audit-file-options.js';
import type { AuditSink } from '../record/event.js';
import { GroupCommit, maxBatch } from '../disk/group-commit.js';
import { makeFolder } from '../disk/log-files.js';
import { type LogLock, lockLog } from '../disk/log-lock.js';
import { CheckpointScheduler } from './checkpoint-scheduler.js';
import { openLog } from './open-log.js';
import { renderEvent } from '../record/record.js';
import { roomFor } from '../record/room.js';

/**
 * A durable, tamper-evident log in a folder: segments of JSON lines, each record with the hash of the record before, and
 * signed checkpoints (`checkpoints.txt`, C2SP tlog-checkpoint). `write` resolves once the record is on disk. The folder
 * is created if needed; only its owner can read the records. docs/reference/audit-log.md describes the format.
 *
 * One process writes a log; in a cluster each has its own folder. After a crash the log continues after its last complete
 * record, and records the torn bytes. If the disk is full, records are refused until it has space. If a sync fails, if
 * another process takes the log over, or if a file is moved, removed or changed, records are refused until a restart. The
 * log itself waits for a disk that hangs; the guard and `fanOut` set a timeout.
 *
 * @throws ConfigError if no folder is named, the folder cannot be written, another process writes the log, a record is
 * changed or missing, or the records do not match the last checkpoint.
 *
 * @example
 * const audit = auditFile('audit', {
 *   checkpointKey: '/run/secrets/audit-key.pem',
 *   witnesses: [httpWitness('https://auditors.example/checkpoints')],
 * });
 * const guard = await createGuard({ origin, agents, policy, audit });
 */
export function auditFile(directory: string, options: AuditFileOptions = {}): AuditSink {
  return auditFileWith(fileOperations, directory, options);
}

/** `auditFile` with system calls that a test can replace. */
export function auditFileWith(operations: FileOperations, directory: string, options: AuditFileOptions): AuditSink {
  if (typeof directory !== 'string' || directory === '') {
    throw new ConfigError("auditFile: name the folder of the log, like auditFile('audit').");
  }
  const folder = resolve(directory);
  const settings = readAuditFileOptions(folder, options);
  const { log, lock } = open(folder, (taken) => openLog(folder, settings, operations, taken));
  const scheduler = new CheckpointScheduler(log, settings);
  const commits = new GroupCommit<string | undefined>(
    async (entries) => {
      const rendered = entries.filter((entry) => entry !== undefined);
      try {
        if (rendered.length > 0) await log.append(rendered);
      } finally {
        await scheduler.afterBatch(entries.length > rendered.length);
      }
    },
    settings.maxQueued,
    settings.durability === 'sync' ? 1 : maxBatch,
  );
  scheduler.onDue(() => void commits.add(undefined).catch(() => {}));
  let closed: Promise<void> | undefined;
  return {
    // Rendered before the first await: later changes to the event do not change the record.
    write(event) {
      try {
        return commits.add(renderEvent(event), roomFor(event, settings.maxQueued));
      } catch (error) {
        return Promise.reject(error);
      }
    },
    backlog: () => ({ unsealed: log.unsealed, ...scheduler.backlog() }),
    close() {
      closed ??= commits
        .close()
        .then(() => scheduler.close())
        .finally(() => lock.release())
        .then(() => scheduler.closeWitnesses());
      return closed;
    },
  };
}

function open<Log>(directory: string, openIt: (lock: LogLock) => Log): { readonly log: Log; readonly lock: LogLock } {
  let lock: LogLock | undefined;
  try {
    makeFolder(directory);
    lock = lockLog(directory);
    return { log: openIt(lock), lock };
  } catch (error) {
    lock?.release();
    if (error instanceof ConfigError) throw error;
    throw new ConfigError(`auditFile: the log in '${directory}' cannot be opened: ${errorMessage(error)}`);
  }
}
