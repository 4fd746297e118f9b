import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { AuditError } from './audit-error.js';
import { auditFileName } from './audit-file.js';
import type { AuditRecord } from './record.js';

/**
 * Reads the records of a log in order, one at a time. A last line without an end is left out: it is being written, or
 * was torn by a crash. Throws an `AuditError` at a line that is no record.
 *
 * @example
 * for await (const record of readAuditFile('audit')) console.log(record.sequence, record.decision);
 */
export async function* readAuditFile(directory: string): AsyncGenerator<AuditRecord, void, undefined> {
  const path = join(directory, auditFileName);
  let unfinished = '';
  let lineNumber = 0;
  for await (const chunk of createReadStream(path, { encoding: 'utf8' })) {
    const lines = `${unfinished}${String(chunk)}`.split('\n');
    unfinished = lines.pop() ?? '';
    for (const line of lines) yield parseRecord(line, path, ++lineNumber);
  }
}

function parseRecord(line: string, path: string, lineNumber: number): AuditRecord {
  let record: Partial<AuditRecord> | null;
  try {
    record = JSON.parse(line) as Partial<AuditRecord> | null;
  } catch (cause) {
    throw new AuditError('unreadable', `Line ${lineNumber} of ${path} is not JSON.`, cause);
  }
  if (typeof record?.sequence !== 'number') {
    throw new AuditError('unreadable', `Line ${lineNumber} of ${path} is not an audit record.`);
  }
  return record as AuditRecord;
}
