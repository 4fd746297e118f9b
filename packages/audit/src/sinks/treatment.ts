import type { FailedAnswer } from './delivery-postponed.js';
import type { SpooledBatch } from './spool.js';

/** Lines that were sent together, and not with others, and failed. */
export interface Failure {
  readonly lines: readonly string[];
  readonly answer: FailedAnswer;
}

/** What a queue does with lines that fail while the receiver takes others. */
export interface Treatment {
  /** Failed attempts in a row that are not reported, while nothing is received. */
  readonly expectedFailures: number;
  /** Called before a batch is sent. Resolves to the lines that are already dealt with. */
  begin?(lines: readonly string[]): Promise<readonly string[]>;
  /** By what failures are counted: the line, or who caused it. */
  readonly keyOf: (line: string) => string;
  /** The parts of which those that fail are found. */
  divide(lines: readonly string[]): readonly (readonly string[])[];
  /** Whether a part that failed alone, so many times with receipts in between, is to be taken. */
  isRefused(failure: Failure, failures: number): boolean;
  /** Deals with such parts. */
  take(failures: readonly Failure[], batch: SpooledBatch): Promise<void>;
  /** Called before a batch is removed. */
  finish?(batch: SpooledBatch): void;
}
