import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { AuditRecord } from '@countersign/core';

/** The log on disk, with all its segments. */
export function auditText(folder: string): string {
  const segments = readdirSync(folder).filter((name) => /^audit-\d+\.jsonl$/.test(name));
  return segments
    .toSorted()
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .join('');
}

/**
 * What happened, without what the log says of itself. Every line is a record, in sequence from 1. Read here by hand,
 * not with the package's own reader.
 */
export function auditRecords(folder: string): AuditRecord[] {
  const lines = auditText(folder).split('\n').slice(0, -1);
  const records = lines.map((line, index) => {
    const record = JSON.parse(line) as AuditRecord;
    if (record.sequence !== index + 1) throw new Error(`line ${index + 1} has sequence ${record.sequence}`);
    return record;
  });
  return records.filter(({ phase }) => ['authentication', 'decision', 'outcome'].includes(phase));
}
