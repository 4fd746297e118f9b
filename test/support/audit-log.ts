import { readFileSync } from 'node:fs';
import type { AuditRecord } from '@countersign/core';

/** The whole log as it stands on disk. */
export function auditText(file: string): string {
  return readFileSync(file, 'utf8');
}

/** Every line is a record, in sequence from 1. Read here by hand, not with the package's own reader. */
export function auditRecords(file: string): AuditRecord[] {
  const lines = auditText(file).split('\n').slice(0, -1);
  return lines.map((line, index) => {
    const record = JSON.parse(line) as AuditRecord;
    if (record.sequence !== index + 1) throw new Error(`line ${index + 1} has sequence ${record.sequence}`);
    return record;
  });
}
