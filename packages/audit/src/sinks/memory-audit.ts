import { checkOptionNames, integerOption } from '@countersign/common';
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
  integerOption('memoryAudit', 'capacity', capacity, 1);
  const kept: (string | AuditRecord)[] = [];
  let sequence = 0;
  return {
    get records() {
      for (const [place, record] of kept.entries()) {
        if (typeof record === 'string') kept[place] = JSON.parse(record) as AuditRecord;
      }
      return [...kept] as AuditRecord[];
    },
    get dropped() {
      return sequence - kept.length;
    },
    async write(event) {
      const rendered = renderEvent(event);
      sequence += 1;
      // Parsed when somebody reads: most records in memory are never looked at.
      kept.push(sealRecord(sequence, rendered));
      if (kept.length > capacity) kept.shift();
    },
  };
}
