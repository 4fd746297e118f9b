import { closeSync, constants, fstatSync, mkdirSync, openSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { ConfigError, checkOptionNames } from '../config-error.js';
import { AppendFile } from './append-file.js';
import type { AuditSink } from './event.js';
import { GroupCommit } from './group-commit.js';
import { renderEvent, sealRecord } from './record.js';
import { recoverTail, syncDirectory } from './recover-tail.js';

/** The log's name in its folder. */
export const auditFileName = 'audit.jsonl';

export interface AuditFileOptions {
  /** Most records that may wait for the disk; more are refused, so that their requests are. Default 4096. */
  readonly maxQueued?: number;
}

// Two writers on one file would each find it changed by somebody else: better said at the start.
const openLogs = new Set<string>();

/**
 * A durable log in a folder: `audit.jsonl`, one record on each line. `write` resolves once the record is on disk
 * (`fdatasync`); concurrent records share one sync. The folder is made if needed; only the owner can read the file.
 * After a crash the log goes on after its last whole line.
 *
 * One process writes a log. If the disk is full, records are refused until there is space again. If the disk cannot
 * sync, or the file is moved, removed or changed by somebody else, records are refused until a restart.
 *
 * @throws ConfigError if the folder or file cannot be written, or does not end with a record.
 *
 * @example
 * const guard = await createGuard({ origin, agents, policy, audit: auditFile('audit') });
 */
export function auditFile(directory: string, options: AuditFileOptions = {}): AuditSink {
  checkOptionNames('auditFile', options, ['maxQueued']);
  const { maxQueued = 4096 } = options;
  if (!Number.isSafeInteger(maxQueued) || maxQueued < 1) {
    throw new ConfigError(`auditFile: 'maxQueued' must be a whole number above 0, not ${String(maxQueued)}.`);
  }
  const log = openLog(directory);
  let sequence = log.lastSequence;
  const commits = new GroupCommit(async (rendered) => {
    // Numbered only now: a batch that failed leaves no gap.
    const lines = rendered.map((event, index) => `${sealRecord(sequence + 1 + index, event)}\n`);
    await log.file.append(Buffer.from(lines.join('')));
    sequence += lines.length;
  }, maxQueued);
  return {
    // Rendered before anything is awaited: what happens to the event afterwards does not change the record.
    async write(event) {
      await commits.add(renderEvent(event));
    },
    async close() {
      await commits.close();
      log.close();
    },
  };
}

interface OpenLog {
  readonly file: AppendFile;
  readonly lastSequence: number;
  close(): void;
}

function openLog(directory: string): OpenLog {
  const path = join(resolve(directory), auditFileName);
  const descriptor = openDurably(path);
  const { dev, ino } = fstatSync(descriptor);
  const key = `${dev}:${ino}`;
  try {
    if (openLogs.has(key))
      throw new ConfigError(`auditFile: '${path}' is written already. Share one sink, or use two folders.`);
    const lastSequence = recoverTail(path, descriptor);
    const file = new AppendFile(path, descriptor);
    openLogs.add(key);
    let open = true;
    return {
      file,
      lastSequence,
      close() {
        if (!open) return;
        open = false;
        openLogs.delete(key);
        file.close();
      },
    };
  } catch (error) {
    closeSync(descriptor);
    throw asConfigError(path, error);
  }
}

function openDurably(path: string): number {
  const { O_APPEND, O_CREAT, O_NOFOLLOW, O_RDWR } = constants;
  try {
    const directory = dirname(path);
    const created = mkdirSync(directory, { recursive: true, mode: 0o700 });
    // Never through a symbolic link: it could lead the log over another file.
    const descriptor = openSync(path, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW, 0o600);
    syncUpwards(directory, created === undefined ? directory : dirname(created));
    return descriptor;
  } catch (error) {
    throw asConfigError(path, error);
  }
}

/** A new file is found again after a power loss only if the folders that name it are durable too. */
function syncUpwards(directory: string, last: string): void {
  syncDirectory(directory);
  if (directory !== last) syncUpwards(dirname(directory), last);
}

function asConfigError(path: string, error: unknown): ConfigError {
  if (error instanceof ConfigError) return error;
  return new ConfigError(
    `auditFile: '${path}' cannot be opened: ${error instanceof Error ? error.message : String(error)}`,
  );
}
