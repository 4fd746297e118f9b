import { createHash } from 'node:crypto';
import { boundString, escapeUnprintable } from '@countersign/common';
import { renderFromParts } from './caller-part.js';
import type { AuditEvent } from './event.js';
import { isPlainJson, maxLineBytes, maxStringUnits } from './plain-json.js';

/** An event in a log. */
export interface AuditRecord extends AuditEvent {
  /** Counts from 1 without gaps. It, and not `time`, is the order of the log. */
  readonly sequence: number;
  /** Version of this format; docs/reference/audit-record.schema.json is its JSON Schema. */
  readonly version: 1;
  /** Only in a log of `auditFile`: the RFC 6962 leaf hash of the previous line, in hexadecimal. */
  readonly prev?: string;
  /** Size and digest of the complete record, if it was too long for a line and only essential fields are kept. */
  readonly oversize?: { readonly bytes: number; readonly sha256: string };
}

/** Twenty such strings fit into a line with their digests, even if every character needs an escape. */
const maxEssentialStringUnits = 100;
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
  const bytes = Buffer.byteLength(whole);
  if (bytes <= maxLineBytes - sealBytes) return whole;
  const oversize = { bytes, sha256: createHash('sha256').update(whole).digest('hex') };
  // The chain is dropped last: who acted for whom is the purpose of the record.
  const withChain = render({ ...essentials(event), ...members(event), oversize }, maxEssentialStringUnits);
  if (Buffer.byteLength(withChain) <= maxLineBytes - sealBytes) return withChain;
  return render({ ...essentials(event), oversize }, maxEssentialStringUnits);
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

/** Cut text keeps its digest: an agent may pad what it asks for, and the record must still tell which request it was. */
export function boundRecorded(text: string, most: number): string {
  if (text.length <= most) return boundString(text, most);
  const digest = createHash('sha256').update(text).digest('hex');
  return boundString(text, most).replace(/\]$/, ` sha256:${digest}]`);
}

/** Without the members that only the log may set. */
function unsealed(event: object): object {
  const { sequence: _sequence, version: _version, prev: _prev, ...fields } = event as Partial<AuditRecord>;
  return fields;
}

/** The chain without scopes, and without what its tokens were exchanged from. */
function members({ chain }: AuditEvent): object {
  return chain === undefined
    ? {}
    : { chain: chain.map(({ ancestors: _ancestors, ...hop }) => ({ ...hop, scope: [] })) };
}

/** The event without its lists and its explanation. */
function essentials({
  chain: _chain,
  scope: _scope,
  policies: _policies,
  detail: _detail,
  filtered,
  approval,
  event,
  ...rest
}: AuditEvent): object {
  return {
    ...rest,
    ...(filtered && { filtered: { ...filtered, resources: [] } }),
    ...(approval && { approval: { binding: approval.binding, ...(approval.id !== undefined && { id: approval.id }) } }),
    ...(event && { event: { name: event.name, by: { id: event.by.id, type: event.by.type } } }),
  };
}
