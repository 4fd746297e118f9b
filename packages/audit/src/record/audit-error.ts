import { CodedError } from '@countersign/common';

/** Why a sink could not keep a record. */
export type AuditErrorCode =
  | 'overloaded'
  | 'timed_out'
  | 'write_failed'
  | 'sync_failed'
  | 'file_replaced'
  | 'closed'
  | 'unreadable';

/** A sink could not keep a record, or a log could not be read. The guard answers such a request with 503. */
export class AuditError extends CodedError<AuditErrorCode> {
  override readonly name = 'AuditError';

  constructor(code: AuditErrorCode, message: string, cause?: unknown) {
    super(code, message, cause === undefined ? undefined : { cause });
  }
}
