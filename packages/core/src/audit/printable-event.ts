import { escapeUnprintable } from './escape.js';
import type { AuditEvent } from './event.js';
import { renderEvent } from './record.js';

/**
 * A copy of an event for what prints or shows texts as they are, such as a logger: bounded like a record, and every
 * character that a terminal obeys is spelt out (`\u001b`). A JSON text needs `renderEvent` only.
 */
export function printableEvent(event: AuditEvent): AuditEvent {
  return JSON.parse(renderEvent(event), (_name, value: unknown) =>
    typeof value === 'string' ? escapeUnprintable(value) : value,
  ) as AuditEvent;
}
