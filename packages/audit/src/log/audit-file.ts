import { resolve } from 'node:path';
import { ConfigError, errorMessage } from '@countersign/common';
import { type FileOperations, fileOperations } from '../disk/append-file.js';
import { type AuditFileOptions, readAuditFileOptions } from './audit-file-options.js';
import type { AuditSink } from '../record/event.js';
import { GroupCommit, maxBatch } from './group-commit.js';
import { makeFolder } from './log-files.js';
import { type LogLock, lockLog } from '../disk/log-lock.js';
import { LogKeeper } from './log-keeper.js';
import { openLog } from './open-log.js';
import { renderEvent } from '../record/record.js';

/**
 * A durable, tamper-evident log in a folder: segments of JSON lines, each record with the hash of the one before, and
 * signed checkpoints of the whole (`checkpoints.txt`, C2SP tlog-checkpoint). `write` resolves once the record is on
 * disk. The folder is made if needed; only its owner can read the records. docs/audit-log.md describes the format.
 *
 * One process writes a log; in a cluster each has a folder of its own. After a crash the log goes on after its last
 * whole record, and says what was torn. If the disk is full, records are refused until there is space again. If the
 * disk cannot sync, if another process takes the log over, or a file is moved, removed or changed by somebody else,
 * records are refused until a restart. A disk that hangs is waited for: the guard and `fanOut` set a bound to that.
 *
 * @throws ConfigError if no folder is named, if it cannot be written, another process writes the log, or the log is not whole: a
 * record is changed or missing, or it is not the log that its last checkpoint sealed.
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

/** The same with system calls that a test can watch. */
export function auditFileWith(operations: FileOperations, directory: string, options: AuditFileOptions): AuditSink {
  if (typeof directory !== 'string' || directory === '') {
    throw new ConfigError("auditFile: name the folder of the log, like auditFile('audit').");
  }
  const folder = resolve(directory);
  const settings = readAuditFileOptions(folder, options);
  const { log, lock } = open(folder, (taken) => openLog(folder, settings, operations, taken));
  const keeper = new LogKeeper(log, settings);
  const commits = new GroupCommit<string | undefined>(
    async (entries) => {
      const rendered = entries.filter((entry) => entry !== undefined);
      try {
        if (rendered.length > 0) await log.append(rendered);
      } finally {
        await keeper.keep(entries.length > rendered.length);
      }
    },
    settings.maxQueued,
    settings.durability === 'sync' ? 1 : maxBatch,
  );
  keeper.onDue(() => void commits.add(undefined).catch(() => {}));
  let closed: Promise<void> | undefined;
  return {
    // Rendered before anything is awaited: what happens to the event afterwards does not change the record.
    async write(event) {
      await commits.add(renderEvent(event));
    },
    close() {
      closed ??= commits
        .close()
        .then(() => keeper.close())
        .finally(() => lock.release())
        .then(() => keeper.witnesses());
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
