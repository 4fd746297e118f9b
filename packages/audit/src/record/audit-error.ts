/** Why a sink could not keep a record. */
export type AuditFailure =
  | 'overloaded'
  | 'timed_out'
  | 'write_failed'
  | 'sync_failed'
  | 'file_replaced'
  | 'closed'
  | 'unreadable';

/** A sink could not keep a record, or a log could not be read. The guard answers such a request with 503. */
export class AuditError extends Error {
  override readonly name = 'AuditError';
  readonly failure: AuditFailure;

  constructor(failure: AuditFailure, message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.failure = failure;
  }
}
