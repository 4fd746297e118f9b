import { listSegments, readLog } from '@countersign/audit-verifier';
import { AuditError } from '../record/audit-error.js';
import type { LogRecord } from './log-record.js';
import type { AuditRecord } from '../record/record.js';

/**
 * Reads the events of a log in order, one at a time. A last line without a newline is skipped: it is being written, or a
 * crash tore it. This does not verify the log; `verifyLog` of `@countersign/audit-verifier` does.
 *
 * @throws AuditError if there is no log, or at a line that is not a record.
 *
 * @example
 * for await (const record of readAuditLog('audit')) console.log(record.sequence, record.decision);
 */
export async function* readAuditLog(directory: string): AsyncGenerator<AuditRecord, void, undefined> {
  for await (const record of readWholeAuditLog(directory)) if (isEvent(record)) yield record;
}

/** Reads events and the records of the log itself: starts of segments, checkpoints, recoveries. */
export async function* readWholeAuditLog(directory: string): AsyncGenerator<LogRecord, void, undefined> {
  const segments = await listSegments(directory).catch((cause: unknown) => {
    throw new AuditError('unreadable', `There is no audit log in ${directory}.`, cause);
  });
  if (segments.length === 0) throw new AuditError('unreadable', `There is no audit log in ${directory}.`);
  for await (const lines of readLog(directory, () => {})) {
    for (const { line, place } of lines) {
      if (line === undefined) {
        throw new AuditError('unreadable', `Line ${place.line} of ${place.file} is no audit record.`);
      }
      yield line.record as unknown as LogRecord;
    }
  }
}

/** Whether a record is an event, and not a record of the log itself. */
export function isEvent(record: LogRecord): record is AuditRecord {
  return ['authentication', 'decision', 'outcome', 'authority'].includes(record.phase);
}
