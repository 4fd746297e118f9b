import { createHash } from 'node:crypto';
import { boundRecorded, escapeUnprintable } from '@countersign/common';
import { renderFromParts } from './caller-part.js';
import type { AuditEvent } from './event.js';
import { isPlainJson, maxLineBytes, maxStringUnits } from './plain-json.js';
import { shorterForms } from './shorter-forms.js';

/** An event in a log. */
export interface AuditRecord extends AuditEvent {
  /** Counts from 1 without gaps. It, and not `time`, is the order of the log. */
  readonly sequence: number;
  /** Version of this format; docs/reference/audit-record.schema.json is its JSON Schema. */
  readonly version: 1;
  /** Only in a log of `auditFile`: the RFC 6962 leaf hash of the previous line, in hexadecimal. */
  readonly prev?: string;
  /** Size and digest of the complete record, if it was too long for a line and is shortened. */
  readonly oversize?: { readonly bytes: number; readonly sha256: string };
}

/** Room for `sequence`, `version` and `prev`. */
const sealBytes = 192;

/**
 * Renders an event as one line of JSON without control characters. Later changes to the event do not change the result.
 * A long event loses fields, never its record.
 */
export function renderEvent(event: AuditEvent): string {
  const plain = renderFromParts(event) ?? renderPlain(event);
  // Plain JSON is ASCII, so that its length is that of its bytes.
  if (plain !== undefined && plain.length <= maxLineBytes - sealBytes) return plain;
  const whole = plain ?? render(event, maxStringUnits);
  if (fits(whole)) return whole;
  const oversize = { bytes: Buffer.byteLength(whole), sha256: createHash('sha256').update(whole).digest('hex') };
  let line = whole;
  for (const { event: shorter, most } of shorterForms(event)) {
    line = render({ ...shorter, oversize }, most);
    if (fits(line)) break;
  }
  return line;
}

function fits(rendered: string): boolean {
  return Buffer.byteLength(rendered) <= maxLineBytes - sealBytes;
}

/** Adds `sequence` at the front and `prev` at the end of a rendered event, where they can be read without JSON. */
export function sealRecord(sequence: number, rendered: string, prev?: string): string {
  const link = prev === undefined ? '' : `,"prev":"${prev}"`;
  return `{"sequence":${sequence},"version":1,${rendered.slice(1, -1)}${link}}`;
}

/** The same text as `render`, for an event in which nothing has to be cut or escaped; otherwise undefined. */
function renderPlain(event: object): string | undefined {
  const json = JSON.stringify(unsealed(event));
  return isPlainJson(json) ? json : undefined;
}

function render(event: object, most: number): string {
  return escapeUnprintable(
    JSON.stringify(unsealed(event), (_name, value: unknown) =>
      typeof value === 'string' ? boundRecorded(value, most) : value,
    ),
  );
}

/** Without the members that only the log may set. */
function unsealed(event: object): object {
  const { sequence: _sequence, version: _version, prev: _prev, ...fields } = event as Partial<AuditRecord>;
  return fields;
}
