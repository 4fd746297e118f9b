import { setImmediate } from 'node:timers/promises';
import { AuditError } from '../record/audit-error.js';

/** Bounds memory and the size of one write: 256 lines are at most 4 MiB. */
export const maxBatch = 256;

interface Waiting<Entry> {
  readonly entry: Entry;
  readonly resolve: () => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * Lets many writers share one slow commit: while one batch is in flight, entries gather for the next. Each `add` resolves
 * when its batch is committed, and rejects if the batch failed or the queue is full.
 */
export class GroupCommit<Entry> {
  readonly #commit: (entries: readonly Entry[]) => Promise<void>;
  readonly #maxQueued: number;
  readonly #batchSize: number;
  readonly #queue: Waiting<Entry>[] = [];
  #draining: Promise<void> | undefined;
  #closed = false;

  constructor(commit: (entries: readonly Entry[]) => Promise<void>, maxQueued: number, batchSize: number = maxBatch) {
    this.#commit = commit;
    this.#maxQueued = maxQueued;
    this.#batchSize = batchSize;
  }

  /** `room`: how many entries may wait already. */
  add(entry: Entry, room: number = this.#maxQueued): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closed) throw new AuditError('closed', 'The audit sink is closed.');
      if (this.#queue.length >= room) {
        throw new AuditError('overloaded', `${room} audit records are waiting to be written already.`);
      }
      this.#queue.push({ entry, resolve, reject });
      this.#draining ??= this.#drain();
    });
  }

  /** Takes no more entries; resolves when the last one has been committed or refused. */
  async close(): Promise<void> {
    this.#closed = true;
    await this.#draining;
  }

  async #drain(): Promise<void> {
    for (;;) {
      // The writers that the last batch released add their next entries in this turn: half as many commits.
      await setImmediate();
      if (this.#queue.length === 0) break;
      await this.#commitBatch(this.#queue.splice(0, this.#batchSize));
    }
    this.#draining = undefined;
  }

  async #commitBatch(batch: readonly Waiting<Entry>[]): Promise<void> {
    try {
      await this.#commit(batch.map(({ entry }) => entry));
    } catch (error) {
      for (const { reject } of batch) reject(error);
      return;
    }
    for (const { resolve } of batch) resolve();
  }
}
