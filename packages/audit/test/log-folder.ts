import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { type LogReport, verifyLog } from '@countersign/audit-verifier';
import { auditFile } from '../src/log/audit-file.js';
import type { AuditFileOptions } from '../src/log/audit-file-options.js';
import { readWholeAuditLog } from '../src/log/read-audit-log.js';
import { event, type Folder } from './events.js';

export async function writeAll(folder: Folder, ids: readonly string[], options: AuditFileOptions = {}): Promise<void> {
  const sink = auditFile(folder.path, options);
  for (const id of ids) await sink.write(event(id));
  await sink.close?.();
}

/** What stands in the log, in short. */
export async function contents(folder: Folder): Promise<string[]> {
  const found: string[] = [];
  for await (const record of readWholeAuditLog(folder.path)) found.push('id' in record ? record.id : record.phase);
  return found;
}

export function verify(folder: Folder): Promise<LogReport> {
  return verifyLog(folder.path, { key: readFileSync(join(folder.path, 'checkpoint.vkey'), 'utf8') });
}

export function segments(folder: Folder): string[] {
  return readdirSync(folder.path).filter((name) => name.endsWith('.jsonl'));
}

export function lastSegment(folder: Folder): string {
  return join(folder.path, segments(folder).at(-1)!);
}
