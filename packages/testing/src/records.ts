import { type AuditRecord, type AuditSink, memoryAudit } from '@countersign/core';

/** What the guard has recorded, in memory. */
export interface TestAudit {
  /** Oldest first, since the last `clear`. */
  readonly records: readonly AuditRecord[];
  /** The last record that is no outcome: what the guard decided about the last request. */
  last(): AuditRecord | undefined;
  /** Forgets what was recorded so far. */
  clear(): void;
}

/** Real milliseconds for which an outcome is awaited: it is recorded after the answer has ended. */
const patience = 5000;

/** A sink whose next record can be awaited. */
export class TestRecords implements TestAudit, AuditSink {
  readonly #memory = memoryAudit();
  readonly #waiting = new Set<() => void>();
  #cleared = 0;

  get records(): readonly AuditRecord[] {
    return this.#memory.records.filter(({ sequence }) => sequence > this.#cleared);
  }

  last(): AuditRecord | undefined {
    return this.records.findLast(({ phase }) => phase !== 'outcome');
  }

  clear(): void {
    this.#cleared = this.#memory.records.at(-1)?.sequence ?? 0;
  }

  async write(event: Parameters<AuditSink['write']>[0]): Promise<void> {
    await this.#memory.write(event);
    for (const wake of this.#waiting) wake();
  }

  /** Resolves to whether the condition holds, now or soon. */
  async eventually(condition: () => boolean): Promise<boolean> {
    if (condition()) return true;
    return await new Promise<boolean>((resolve) => {
      const end = (holds: boolean): void => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve(holds);
      };
      const wake = (): void => {
        if (condition()) end(true);
      };
      const timer = setTimeout(() => end(false), patience);
      this.#waiting.add(wake);
    });
  }
}
