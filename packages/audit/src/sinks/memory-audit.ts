import { checkOptionNames, ConfigError } from '@countersign/common';
import type { AuditSink } from '../record/event.js';
import { type AuditRecord, renderEvent, sealRecord } from '../record/record.js';

export interface MemoryAuditOptions {
  /** Most records kept; beyond that the oldest are dropped and counted. Default 10 000. */
  readonly capacity?: number;
}

/** A sink that keeps its records in memory, for tests. */
export interface MemoryAudit extends AuditSink {
  /** Oldest first, in the form of a log. */
  readonly records: readonly AuditRecord[];
  /** Number of records dropped beyond `capacity`. */
  readonly dropped: number;
}

/**
 * Keeps records in memory: for tests, never for production.
 *
 * @example
 * const audit = memoryAudit();
 * const guard = await createGuard({ origin, agents, policy, audit });
 * // … a request …
 * expect(audit.records.at(-1)).toMatchObject({ phase: 'decision', decision: 'deny' });
 */
export function memoryAudit(options: MemoryAuditOptions = {}): MemoryAudit {
  checkOptionNames('memoryAudit', options, ['capacity']);
  const { capacity = 10_000 } = options;
  if (!Number.isSafeInteger(capacity) || capacity < 1) {
    throw new ConfigError(`memoryAudit: 'capacity' must be a whole number above 0, not ${String(capacity)}.`);
  }
  const records: AuditRecord[] = [];
  let sequence = 0;
  return {
    get records() {
      return [...records];
    },
    get dropped() {
      return sequence - records.length;
    },
    async write(event) {
      const rendered = renderEvent(event);
      sequence += 1;
      records.push(JSON.parse(sealRecord(sequence, rendered)) as AuditRecord);
      if (records.length > capacity) records.shift();
    },
  };
}
