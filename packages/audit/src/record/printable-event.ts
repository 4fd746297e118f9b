import { escapeUnprintable } from '@countersign/common';
import type { AuditEvent } from './event.js';
import { renderEvent } from './record.js';

/**
 * A copy of an event for output that does not escape strings, such as a logger: bounded like a record, and control
 * characters are spelt out (`\u001b`). For JSON use `renderEvent`.
 */
export function printableEvent(event: AuditEvent): AuditEvent {
  const rendered = renderEvent(event);
  // Without a backslash the JSON has no escapes, so every string is printable.
  return JSON.parse(rendered, rendered.includes('\\') ? spellOut : undefined) as AuditEvent;
}

function spellOut(_name: string, value: unknown): unknown {
  return typeof value === 'string' ? escapeUnprintable(value) : value;
}
