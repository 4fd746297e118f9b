import { FailureThrottle, errorMessage } from '@countersign/common';
import { BoundedSink, type SinkLimits } from './bounded-sink.js';
import type { AuditEvent, AuditSink, SinkStatus } from '../record/event.js';

/** A sink, and what to do if a record is missing there. */
export interface FanOutRule {
  readonly sink: AuditSink;
  /**
   * `deny` (default): the request waits for this sink, and is refused if the sink fails. `report`: the request does not
   * wait; missing records are counted and reported to `onTrouble`.
   */
  readonly onFailure?: 'deny' | 'report';
  /** The name in reports. Default: the position, like `sink 2`. */
  readonly name?: string;
}

export interface BranchLimits extends SinkLimits {
  readonly clock: () => number;
  readonly onTrouble: (message: string) => void;
}

/** One sink of `fanOut`, bounded in memory and time. */
export interface FanOutBranch {
  readonly name: string;
  write(event: AuditEvent): Promise<void>;
  status(): SinkStatus;
  close(): Promise<void>;
}

/** Counts lost records. `write` and `close` never reject. */
export interface ReportBranch extends FanOutBranch {
  readonly lost: number;
}

/** The write rejects if the sink fails, times out, or has too many records waiting. */
export function denyBranch({ sink, name }: Required<FanOutRule>, limits: SinkLimits): FanOutBranch {
  const bounded = new BoundedSink(sink, name, limits);
  return {
    name,
    write: (event) => bounded.write(event),
    status: () => bounded.status(name)[0],
    close: () => bounded.close(),
  };
}

/**
 * The request does not wait for this sink. It is called at once, in the async context of the request, so that it finds the
 * active span. A record is lost if the sink times out or has too many records waiting.
 */
export function reportBranch({ sink, name }: Required<FanOutRule>, limits: BranchLimits): ReportBranch {
  const bounded = new BoundedSink(sink, name, limits);
  const failures = new FailureThrottle(limits.clock);
  let lost = 0;
  return {
    name,
    get lost() {
      return lost;
    },
    status: () => bounded.status(name)[0],
    async write(event) {
      try {
        await bounded.write(event);
        if (failures.recordSuccess() > 0) {
          limits.onTrouble(`countersign: ${name} takes audit records again; ${lost} are missing there.`);
        }
      } catch (error) {
        lost += 1;
        if (failures.recordFailure()) {
          limits.onTrouble(`countersign: ${lost} audit records are missing in ${name} so far: ${errorMessage(error)}`);
        }
      }
    },
    async close() {
      try {
        await bounded.close(bounded.idle());
      } catch (error) {
        limits.onTrouble(`countersign: ${name} could not be closed: ${errorMessage(error)}`);
      }
      if (lost > 0) limits.onTrouble(`countersign: ${lost} audit records are missing in ${name}.`);
    },
  };
}
