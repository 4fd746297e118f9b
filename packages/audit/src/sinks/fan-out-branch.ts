import { FailureThrottle, errorMessage } from '@countersign/common';
import { BoundedSink, type SinkLimits } from './bounded-sink.js';
import type { AuditEvent, AuditSink } from '../record/event.js';

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

export interface BranchLimits extends SinkLimits {
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

/** Who waits for this sink is refused when it fails, is too slow, or has too many waiting. */
export function denyBranch({ sink, name }: Required<FanOutRule>, limits: SinkLimits): FanOutBranch {
  const bounded = new BoundedSink(sink, name, limits);
  return { name, write: (event) => bounded.write(event), close: () => bounded.close() };
}

/**
 * Nobody waits for this sink. It is called at once, in the context of the request that the record is about, which is
 * what finds the active span; what it has not answered in time is lost, and what comes beyond the limit.
 */
export function reportBranch({ sink, name }: Required<FanOutRule>, limits: BranchLimits): ReportBranch {
  const bounded = new BoundedSink(sink, name, limits);
  const trouble = new FailureThrottle(limits.clock);
  let lost = 0;
  return {
    name,
    get lost() {
      return lost;
    },
    async write(event) {
      try {
        await bounded.write(event);
        if (trouble.over() > 0) {
          limits.onTrouble(`countersign: ${name} takes audit records again; ${lost} are missing there.`);
        }
      } catch (error) {
        lost += 1;
        if (trouble.again()) {
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
