import type { AuditRecord } from '@countersign/core';
import type { Terminal } from './terminal.js';

const columns = [8, 8, 22, 8, 9, 8];
const headings = ['time UTC', 'phase', 'who', 'for whom', 'action', 'resource', 'decision, outcome'];
// Refused before anybody was known: what was claimed stands where actor and action would, so that it passes for neither.
const unverifiedColumns = [8, 63];

/** Prints the log, one line for each record; below a decision of policy, which policies made it. */
export function printAuditTable(records: readonly AuditRecord[], { line, dim, good, bad }: Terminal): void {
  line(dim(row(columns, headings)));
  for (const record of records) {
    const paint = record.decision === 'deny' ? bad : record.decision === 'allow' ? good : dim;
    const cells = record.phase === 'authentication' ? claimed(record) : verified(record);
    line(row(record.phase === 'authentication' ? unverifiedColumns : columns, [...cells, paint(result(record))]));
    if (record.policies !== undefined && record.policies.length > 0) {
      line(dim(row(columns, ['', '', `by policy ${record.policies.join(', ')}`])));
    }
  }
}

function verified({ time, phase, actor, subject, action, resource }: AuditRecord): string[] {
  const forWhom = subject?.id === actor?.id ? 'itself' : subject?.id;
  return [clock(time), phase, actor?.id ?? '', forWhom ?? '', action ?? '', resource?.id ?? ''];
}

function claimed({ time, phase, claimed: claim }: AuditRecord): string[] {
  const who = claim === undefined ? 'nothing' : (claim.agent ?? `key ${claim.keyId.slice(0, 8)}`);
  return [clock(time), `${phase}, claimed: ${who}`];
}

function clock(time: string): string {
  return time.slice(11, 19);
}

function result({ decision, code, outcome }: AuditRecord): string {
  if (outcome !== undefined) return `${outcome.status ?? ''} ${outcome.result}`.trim();
  return code ?? decision ?? '';
}

function row(widths: readonly number[], cells: readonly string[]): string {
  return cells
    .map((cell, column) => cell.padEnd(widths[column] ?? 0))
    .join('  ')
    .trimEnd();
}
