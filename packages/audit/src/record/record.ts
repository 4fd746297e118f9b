import { createHash } from 'node:crypto';
import { boundString, escapeUnprintable } from '@countersign/common';
import type { AuditEvent } from './event.js';

/** An event as it stands in a log. */
export interface AuditRecord extends AuditEvent {
  /** Counts from 1 without gaps. The order of the log is this, never the clock. */
  readonly sequence: number;
  /** Of this form; docs/reference/audit-record.schema.json is the same in JSON Schema. */
  readonly version: 1;
  /** Only in a log of `auditFile`: the RFC 6962 leaf hash of the line before, in hexadecimal. */
  readonly prev?: string;
  /** Present when the whole record was too long for a line, so that only its essential fields stand here. */
  readonly oversize?: { readonly bytes: number; readonly sha256: string };
}

/** Longest line, in bytes. */
export const maxLineBytes: number = 16 * 1024;
const maxStringUnits = 1024;
/** Twenty strings of this length fit into a line, even if every character needs an escape. */
const maxEssentialStringUnits = 100;
/** What sealing adds: number, version, link. */
const sealBytes = 192;

/**
 * Renders an event as one line of JSON that holds no character a terminal obeys. What it returns no longer depends on
 * the event, so that nothing done to it later changes the record. A long event loses fields, never its record.
 */
export function renderEvent(event: AuditEvent): string {
  const whole = render(event, maxStringUnits);
  const bytes = Buffer.byteLength(whole);
  if (bytes <= maxLineBytes - sealBytes) return whole;
  const oversize = { bytes, sha256: createHash('sha256').update(whole).digest('hex') };
  // The chain goes last: who acted for whom is what the record is for.
  const withChain = render({ ...essentials(event), ...members(event), oversize }, maxEssentialStringUnits);
  if (Buffer.byteLength(withChain) <= maxLineBytes - sealBytes) return withChain;
  return render({ ...essentials(event), oversize }, maxEssentialStringUnits);
}

/** Gives a rendered event its place in the log: its number comes first, the link to the line before last. */
export function sealRecord(sequence: number, rendered: string, prev?: string): string {
  const link = prev === undefined ? '' : `,"prev":"${prev}"`;
  return `{"sequence":${sequence},"version":1,${rendered.slice(1, -1)}${link}}`;
}

function render(event: object, most: number): string {
  const { sequence: _sequence, version: _version, prev: _prev, ...fields } = event as Partial<AuditRecord>;
  return escapeUnprintable(
    JSON.stringify(fields, (_name, value: unknown) => (typeof value === 'string' ? boundString(value, most) : value)),
  );
}

/** The chain without what each member was given. */
function members({ chain }: AuditEvent): object {
  return chain === undefined ? {} : { chain: chain.map((hop) => ({ ...hop, scope: [] })) };
}

/** Everything but the lists and the explanation. */
function essentials({
  chain: _chain,
  scope: _scope,
  policies: _policies,
  detail: _detail,
  filtered,
  ...rest
}: AuditEvent): object {
  return { ...rest, ...(filtered && { filtered: { ...filtered, resources: [] } }) };
}
