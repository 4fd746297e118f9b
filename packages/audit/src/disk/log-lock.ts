import { closeSync, constants, fstatSync, openSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { ConfigError } from '@countersign/common';
import { createAtomically, removeStaleDrafts } from './atomic-file.js';
import { identifyProcess, isRunning, parseIdentity } from './process-identity.js';
import { checkRegularFile } from './regular-file.js';

const { O_NOFOLLOW, O_RDONLY } = constants;

export interface LogLock {
  /** False once another process has taken the lock over, or its file was removed. */
  readonly isHeld: boolean;
  release(): void;
}

/**
 * Locks the folder of a log for this process. A lock of a dead process is taken over. So is one that cannot be judged, as
 * between containers: its former owner then finds `isHeld` false.
 *
 * @throws ConfigError if another process holds the lock, or its path is not a regular file.
 */
export function lockLog(directory: string, owner = 'auditFile'): LogLock {
  const path = join(directory, 'audit.lock');
  const content = JSON.stringify(identifyProcess(process.pid));
  if (!createAtomically(path, content)) {
    checkRegularFile(path, owner);
    const found = read(path);
    const holder = parseIdentity(found ?? '');
    if (holder !== undefined && isRunning(holder)) throw inUse(owner, directory, found);
    removeStaleLock(path, found, directory, owner);
    if (!createAtomically(path, content)) throw inUse(owner, directory, found);
  }
  const lock = hold(path, content, () => inUse(owner, directory, read(path)));
  removeStaleDrafts(directory, ['audit.lock', 'checkpoint-key.pem', 'checkpoint.vkey']);
  return lock;
}

/** The descriptor stays open, so that no other file can get this inode number. */
function hold(path: string, content: string, lost: () => ConfigError): LogLock {
  const descriptor = openSync(path, O_RDONLY | O_NOFOLLOW);
  const { ino, dev } = fstatSync(descriptor);
  if (readFileSync(descriptor, 'utf8') !== content) {
    closeSync(descriptor);
    throw lost();
  }
  const isHeld = (): boolean => {
    const named = statSync(path, { throwIfNoEntry: false });
    return named?.ino === ino && named.dev === dev;
  };
  return {
    get isHeld() {
      return isHeld();
    },
    release() {
      // Another process may have taken it over; that one keeps it.
      if (isHeld() && read(path) === content) rmSync(path, { force: true });
      closeSync(descriptor);
    },
  };
}

/** Two processes may do this at once: the one that moved another lock than it judged puts it back. */
function removeStaleLock(path: string, judged: string | undefined, directory: string, owner: string): void {
  const stale = `${path}.stale-${process.pid}`;
  try {
    renameSync(path, stale);
  } catch {
    return;
  }
  const moved = read(stale);
  if (moved !== judged && moved !== undefined) createAtomically(path, moved);
  rmSync(stale, { force: true });
  if (moved !== judged) throw inUse(owner, directory, moved);
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function inUse(owner: string, directory: string, holder: string | undefined): ConfigError {
  const pid = parseIdentity(holder ?? '')?.pid;
  const by = pid === undefined ? 'another process' : pid === process.pid ? 'this process' : `process ${pid}`;
  return new ConfigError(
    `${owner}: '${directory}' is written already, by ${by}. One process writes a log: give each its own folder, or share ` +
      'one guard or sink within a process. In tests use memoryAudit() or @countersign/testing.',
  );
}
