import type { Answer } from './post-events.js';

export type BusyAnswer = Extract<Answer, { kind: 'busy' }>;
/** An answer that may be about the records. */
export type FailedAnswer = Exclude<Answer, { kind: 'received' } | BusyAnswer>;

/** The receiver did not take the records, and may take them later. */
export class DeliveryPostponed extends Error {
  readonly answer: FailedAnswer | BusyAnswer;
  /** Whether the receiver takes other records. */
  readonly isReceiverUp: boolean;

  constructor(answer: FailedAnswer | BusyAnswer, isReceiverUp: boolean) {
    super(answer.reason);
    this.answer = answer;
    this.isReceiverUp = isReceiverUp;
  }
}

export function isBusy(error: unknown): error is DeliveryPostponed & { readonly answer: BusyAnswer } {
  return error instanceof DeliveryPostponed && error.answer.kind === 'busy';
}

/** Whether the receiver answered that it will never take the records. */
export function isRefusal(error: unknown): boolean {
  return error instanceof DeliveryPostponed && !isBusy(error) && error.answer.kind !== 'failed';
}

const firstRetryMilliseconds = 1000;

/** Exponential, with jitter: the processes of a fleet must not retry in step. */
export function retryDelay(failures: number, error: unknown, maxRetryMilliseconds: number): number {
  const delay = Math.min(maxRetryMilliseconds, firstRetryMilliseconds * 2 ** (failures - 1));
  const asked = isBusy(error) ? error.answer.afterMilliseconds : 0;
  // The operator's maximum outranks Retry-After.
  return Math.max(delay * (0.5 + Math.random() / 2), Math.min(maxRetryMilliseconds, asked));
}
