import type { Writable } from 'node:stream';
import { AuditError } from '../record/audit-error.js';
import type { AuditSink } from '../record/event.js';
import { roomFor } from '../record/room.js';
import { renderEvent, sealRecord } from '../record/record.js';

/** Most bytes that wait for a slow reader; further records are refused. */
const maxWaitingBytes = 16 * 1024 * 1024;

/**
 * Writes each record as a line to a stream (default: standard output) for a log collector. `write` resolves when the
 * stream has taken the line, so a record is only as durable as the stream. Sequence numbers start at 1 with each sink.
 */
export function auditStdout(stream: Writable = process.stdout): AuditSink {
  let sequence = 0;
  // Each write reports its own failure; without a listener a closed pipe would end the process.
  stream.on('error', () => {});
  return {
    async write(event) {
      if (stream.writableLength > roomFor(event, maxWaitingBytes)) {
        throw new AuditError('overloaded', 'The audit stream does not take records fast enough.');
      }
      const rendered = renderEvent(event);
      sequence += 1;
      const line = `${sealRecord(sequence, rendered)}\n`;
      await new Promise<void>((resolve, reject) => {
        stream.write(line, (error) => {
          if (error) reject(new AuditError('write_failed', 'The audit stream cannot be written.', error));
          else resolve();
        });
      });
    },
  };
}
