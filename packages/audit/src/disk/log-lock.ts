import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { codeOf, ConfigError } from '@countersign/common';
import { createWhole } from './whole-file.js';

const { O_NOFOLLOW, O_RDONLY } = constants;

interface Owner {
  readonly pid: number;
  /** When that process was started, as its system counts: a number is used again by another process some day. */
  readonly started?: string;
  /** Which system or container counts the processes. */
  readonly namespace?: string;
}

export interface LogLock {
  /** False once another process has taken it over, or somebody has removed it. */
  readonly isHeld: boolean;
  /** Gives it back. */
  release(): void;
}

/**
 * Takes a log for this process. A lock that its process has left behind is taken over. Where nobody can tell, as
 * between containers, it is taken over too: whoever had it finds that `isHeld` is false.
 *
 * @throws ConfigError if another process writes the log, or what bears the name of the lock is no file.
 */
export function lockLog(directory: string, owner = 'auditFile'): LogLock {
  const path = join(directory, 'audit.lock');
  const mine = JSON.stringify(describe(process.pid));
  if (!createWhole(path, mine)) {
    checkIsFile(path, owner);
    const found = read(path);
    if (found !== undefined && isAlive(found)) throw inUse(owner, directory, found);
    takeAside(path, found, directory, owner);
    if (!createWhole(path, mine)) throw inUse(owner, directory, found);
  }
  const lock = hold(path, mine, () => inUse(owner, directory, read(path)));
  sweepDrafts(directory);
  return lock;
}

/** A process that was killed while it started may have left what it had not yet given its name: also a private key. */
function sweepDrafts(directory: string): void {
  try {
    for (const name of readdirSync(directory)) {
      const pid = /^(?:audit\.lock|checkpoint-key\.pem|checkpoint\.vkey)\.(?:stale-)?(\d+)$/.exec(name)?.[1];
      if (pid === undefined || (Number(pid) !== process.pid && answersToSignals(Number(pid)))) continue;
      rmSync(join(directory, name), { force: true });
    }
  } catch {
    // What cannot be removed harms no log.
  }
}

/** Its descriptor stays open: no other file can have the number of this one as long as it is. */
function hold(path: string, mine: string, lost: () => ConfigError): LogLock {
  const descriptor = openSync(path, O_RDONLY | O_NOFOLLOW);
  const { ino, dev } = fstatSync(descriptor);
  if (readFileSync(descriptor, 'utf8') !== mine) {
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
      // Whoever took it over in the meantime keeps it.
      if (isHeld() && read(path) === mine) rmSync(path, { force: true });
      closeSync(descriptor);
    },
  };
}

function checkIsFile(path: string, owner: string): void {
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found === undefined || found.isFile()) return;
  throw new ConfigError(
    `${owner}: '${path}' is not a regular file. It is the lock of the log: move away what is there.`,
  );
}

/** Another process may do the same at the same moment: the one that moved the lock judged it by its content. */
function takeAside(path: string, judged: string | undefined, directory: string, owner: string): void {
  const aside = `${path}.stale-${process.pid}`;
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  const moved = read(aside);
  if (moved !== judged) {
    if (moved !== undefined) createWhole(path, moved);
    rmSync(aside, { force: true });
    throw inUse(owner, directory, moved);
  }
  rmSync(aside, { force: true });
}

function isAlive(content: string): boolean {
  const owner = parse(content);
  if (owner === undefined) return false;
  const now = describe(owner.pid);
  if (owner.namespace !== now.namespace) return false;
  if (now.started !== undefined) return now.started === owner.started;
  return process.platform !== 'linux' && answersToSignals(owner.pid);
}

function describe(pid: number): Owner {
  const started = startTime(pid);
  const namespace = link('/proc/self/ns/pid');
  return { pid, ...(started === undefined ? {} : { started }), ...(namespace === undefined ? {} : { namespace }) };
}

/** Field 22 of proc(5) stat, and the boot that it counts from. A zombie writes nothing any more. */
function startTime(pid: number): string | undefined {
  const stat = read(`/proc/${pid}/stat`);
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields === undefined || fields[0] === 'Z' || fields[0] === 'X') return undefined;
  return `${(read('/proc/sys/kernel/random/boot_id') ?? '').trim()}/${fields[19]}`;
}

function answersToSignals(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

function parse(content: string): Owner | undefined {
  try {
    const owner = JSON.parse(content) as Partial<Owner> | null;
    return Number.isSafeInteger(owner?.pid) ? (owner as Owner) : undefined;
  } catch {
    return undefined;
  }
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function link(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function inUse(owner: string, directory: string, holder: string | undefined): ConfigError {
  const pid = parse(holder ?? '')?.pid;
  return new ConfigError(
    `${owner}: '${directory}' is written already, by ${pid === undefined ? 'another process' : `process ${pid}`}. ` +
      'One process writes a log: give each its own folder, or share one sink within a process.',
  );
}
