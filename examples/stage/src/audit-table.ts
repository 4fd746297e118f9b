import type { AuditRecord } from '@countersign/core';
import type { Terminal } from './terminal.js';

const headings = ['time UTC', 'phase', 'who', 'for whom', 'action', 'resource'];
const gap = '  ';

/** Prints the log, one line for each record; below a decision of policy, which policies made it. */
export function printAuditTable(records: readonly AuditRecord[], { line, dim, good, bad }: Terminal): void {
  const widths = widthsOf([headings, ...records.filter(isVerified).map(verified)]);
  // Refused before the sender was known: the claimed identity fills the columns of actor and action, marked as a claim.
  const [time = 0, ...rest] = widths;
  const unverifiedWidths = [time, rest.reduce((sum, width) => sum + gap.length + width)];
  line(dim(row(widths, [...headings, 'decision, outcome'])));
  for (const record of records) {
    const paint = record.decision === 'deny' ? bad : record.decision === 'allow' ? good : dim;
    const known = isVerified(record);
    line(
      row(known ? widths : unverifiedWidths, [...(known ? verified(record) : claimed(record)), paint(result(record))]),
    );
    if (record.policies !== undefined && record.policies.length > 0) {
      line(dim(row(widths, ['', '', `by policy ${record.policies.join(', ')}`])));
    }
  }
}

function isVerified({ phase }: AuditRecord): boolean {
  return phase !== 'authentication';
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

/** As wide as the widest cell of each column. */
function widthsOf(rows: readonly (readonly string[])[]): number[] {
  return headings.map((_, column) => Math.max(...rows.map((cells) => cells[column]?.length ?? 0)));
}

function row(widths: readonly number[], cells: readonly string[]): string {
  return cells
    .map((cell, column) => cell.padEnd(widths[column] ?? 0))
    .join(gap)
    .trimEnd();
}
