import { escapeUnprintable } from '@countersign/common';
import type { AuditEvent } from './event.js';
import { renderEvent } from './record.js';

/**
 * A copy of an event for what prints or shows texts as they are, such as a logger: bounded like a record, and every
 * character that a terminal obeys is spelt out (`\u001b`). A JSON text needs `renderEvent` only.
 */
export function printableEvent(event: AuditEvent): AuditEvent {
  const rendered = renderEvent(event);
  // What needs an escape in JSON has got one, so that a line without a backslash is printable as it is.
  return JSON.parse(rendered, rendered.includes('\\') ? spellOut : undefined) as AuditEvent;
}

function spellOut(_name: string, value: unknown): unknown {
  return typeof value === 'string' ? escapeUnprintable(value) : value;
}
