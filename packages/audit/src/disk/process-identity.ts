import { readFileSync, readlinkSync } from 'node:fs';
import { codeOf } from '@countersign/common';

/** One process, told apart from a later one with the same pid. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Boot id and start time; a pid alone is reused. */
  readonly started?: string;
  /** The pid namespace: in a container the API is always the same pid. */
  readonly namespace?: string;
}

export function identifyProcess(pid: number): ProcessIdentity {
  const started = startTime(pid);
  const namespace = tryTo(() => readlinkSync('/proc/self/ns/pid'));
  return { pid, ...(started === undefined ? {} : { started }), ...(namespace === undefined ? {} : { namespace }) };
}

export function parseIdentity(content: string): ProcessIdentity | undefined {
  const identity = tryTo(() => JSON.parse(content) as Partial<ProcessIdentity> | null);
  return Number.isSafeInteger(identity?.pid) ? (identity as ProcessIdentity) : undefined;
}

/** Whether that process runs, as far as this one can see. A process in another namespace counts as gone. */
export function isRunning(identity: ProcessIdentity): boolean {
  const now = identifyProcess(identity.pid);
  if (identity.namespace !== now.namespace) return false;
  if (now.started !== undefined) return now.started === identity.started;
  return process.platform !== 'linux' && answersToSignals(identity.pid);
}

export function answersToSignals(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM';
  }
}

/** Field 22 of proc(5) stat, and the boot that it counts from. A zombie counts as gone: it writes no more. */
function startTime(pid: number): string | undefined {
  const stat = tryTo(() => readFileSync(`/proc/${pid}/stat`, 'utf8'));
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  if (fields === undefined || fields[0] === 'Z' || fields[0] === 'X') return undefined;
  const boot = tryTo(() => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8')) ?? '';
  return `${boot.trim()}/${fields[19]}`;
}

function tryTo<Result>(work: () => Result): Result | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
