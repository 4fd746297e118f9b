import { LastingTrouble } from '../lasting-trouble.js';
import { textOf } from '../text-of.js';
import { AuditError } from './audit-error.js';
import type { AuditEvent, AuditSink } from './event.js';

/** A sink, and what it means that a record is missing there. */
export interface FanOutRule {
  readonly sink: AuditSink;
  /**
   * `deny` (default): the request waits for this sink, and is refused if the record is missing there. `report`: nobody
   * waits; what is missing there is counted and told to `onTrouble`.
   */
  readonly onFailure?: 'deny' | 'report';
  /** How it is named in reports. Default: its place, like `sink 2`. */
  readonly name?: string;
}

export interface BranchLimits {
  readonly maxWaiting: number;
  readonly timeoutMilliseconds: number;
  readonly clock: () => number;
  readonly onTrouble: (message: string) => void;
}

/** One of the sinks behind `fanOut`, bounded in memory and in time. */
export interface FanOutBranch {
  readonly name: string;
  write(event: AuditEvent): Promise<void>;
  close(): Promise<void>;
}

/** Counts what it has lost. Its `write` and its `close` never reject. */
export interface ReportBranch extends FanOutBranch {
  readonly lost: number;
}

/** One record may arrive while others are dropped. */
const quietMilliseconds = 10_000;

/** Who waits for this sink is refused when it fails, is too slow, or has too many waiting. */
export function denyBranch(rule: Required<FanOutRule>, limits: BranchLimits): FanOutBranch {
  const { sink, name } = rule;
  const waiting = new Waiting(rule, limits.maxWaiting);
  return {
    name,
    write: (event) => within(limits.timeoutMilliseconds, waiting.write(event), name),
    async close() {
      await sink.close?.();
    },
  };
}

/**
 * Nobody waits for this sink. It is called at once, in the context of the request that the record is about, which is
 * what finds the active span; what it has not finished is counted, and beyond the limit dropped.
 */
export function reportBranch(rule: Required<FanOutRule>, limits: BranchLimits): ReportBranch {
  const { sink, name } = rule;
  const waiting = new Waiting(rule, limits.maxWaiting);
  const trouble = new LastingTrouble(quietMilliseconds, limits.clock);
  let lost = 0;
  return {
    name,
    get lost() {
      return lost;
    },
    async write(event) {
      try {
        await waiting.write(event);
        if (trouble.over() > 0) {
          limits.onTrouble(`countersign: ${name} takes audit records again; ${lost} are missing there.`);
        }
      } catch (error) {
        lost += 1;
        if (trouble.again()) {
          limits.onTrouble(`countersign: ${lost} audit records are missing in ${name} so far: ${textOf(error)}`);
        }
      }
    },
    async close() {
      try {
        await within(limits.timeoutMilliseconds, closeAfter(waiting, sink), name);
      } catch (error) {
        limits.onTrouble(`countersign: ${name} could not be closed: ${textOf(error)}`);
      }
      if (lost > 0) limits.onTrouble(`countersign: ${lost} audit records are missing in ${name}.`);
    },
  };
}

async function closeAfter(waiting: Waiting, sink: AuditSink): Promise<void> {
  await waiting.idle();
  await sink.close?.();
}

/** Refuses what comes while too many records wait. One that its sink never answers keeps its place. */
class Waiting {
  readonly #rule: FanOutRule;
  readonly #most: number;
  readonly #writes = new Set<Promise<void>>();

  constructor(rule: FanOutRule, most: number) {
    this.#rule = rule;
    this.#most = most;
  }

  async write(event: AuditEvent): Promise<void> {
    const { sink, name } = this.#rule;
    if (this.#writes.size >= this.#most) {
      throw new AuditError('overloaded', `${this.#most} audit records are waiting for ${name} already.`);
    }
    // A promise of its own: a sink may answer several records with one.
    const write = Promise.resolve(sink.write(event)).then(() => {});
    this.#writes.add(write);
    try {
      await write;
    } finally {
      this.#writes.delete(write);
    }
  }

  async idle(): Promise<void> {
    await Promise.allSettled(this.#writes);
  }
}

async function within(milliseconds: number, work: Promise<void>, name: string): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(
      () => reject(new AuditError('timed_out', `${name} did not answer within ${milliseconds / 1000} seconds.`)),
      milliseconds,
    );
  });
  try {
    await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
