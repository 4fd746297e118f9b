import { randomUUID } from 'node:crypto';
import { errorMessage, FailureThrottle, isJsonObject, parseStrictJson } from '@countersign/common';
import type { AuditAuthorityEvent, AuditEvent, AuditSink } from '@countersign/core';
import { clockMarginSeconds } from '../storage/clock.js';
import { numberOf, sql, type Statement, type Store, textOf } from '../storage/store.js';

/** What happened, and the request or the agent that it is about. */
export interface TrailEvent extends Omit<AuditEvent, 'id' | 'time' | 'phase' | 'request' | 'event' | 'decision'> {
  readonly event: AuditAuthorityEvent;
  /** What all records of one thing have in common, such as the id of an approval. */
  readonly about: string;
}

/**
 * The way of events into the audit log. An event is a row of the transaction in which it happens, and is deleted once the
 * log has it: a crash loses none, and may write one twice, with the same id.
 */
export interface Trail {
  /** The statements that record an event, as a part of a transaction that begins now. None without an audit log. */
  record(event: TrailEvent): readonly Statement[];
  /** Whether the log has all events about something. */
  isWritten(about: string): Promise<boolean>;
  /** Writes what waits, and leaves the sink open. */
  close(): Promise<void>;
}

export const noTrail: Trail = {
  record: () => [],
  isWritten: async () => await Promise.resolve(true),
  close: async () => await Promise.resolve(),
};

const atOnce = 100;
/** After this time its transaction is done, as a rule; else the next interval finds it. */
const soonMilliseconds = 50;
const intervalMilliseconds = 2000;
/** A process that dies meanwhile has not written. Longer than a sink may take. */
const leaseSeconds = 60;

export function startTrail(services: {
  readonly store: Store;
  readonly sink: AuditSink;
  readonly now: () => number;
  readonly onTrouble: (message: string) => void;
}): Trail {
  const { store, sink, now, onTrouble } = services;
  const failures = new FailureThrottle(Date.now);
  let running: Promise<void> | undefined;
  let again = false;

  /** In their order; of several processes one gets each. */
  async function take(): Promise<readonly Written[]> {
    const at = now();
    // No lease ends later, except that of a process whose clock is ahead.
    const last = at + leaseSeconds + clockMarginSeconds;
    const rows = await store.run(sql`
      UPDATE countersign_audit SET next_at = ${at + leaseSeconds} WHERE (next_at <= ${at} OR next_at > ${last}) AND idx IN
        (SELECT idx FROM countersign_audit WHERE next_at <= ${at} OR next_at > ${last} ORDER BY idx LIMIT ${atOnce})
      RETURNING idx, event`);
    return rows
      .map((row) => ({ idx: numberOf(row, 'idx'), event: textOf(row, 'event') }))
      .toSorted((a, b) => a.idx - b.idx);
  }

  async function write({ idx, event }: Written): Promise<void> {
    try {
      await sink.write(eventIn(event));
    } catch (error) {
      await store.run(sql`UPDATE countersign_audit SET next_at = 0 WHERE idx = ${idx}`);
      throw error;
    }
    await store.run(sql`DELETE FROM countersign_audit WHERE idx = ${idx}`);
  }

  async function writeAll(): Promise<void> {
    try {
      for (let taken = await take(); taken.length > 0; taken = await take()) {
        const results = await Promise.allSettled(taken.map(write));
        const failed = results.find((result) => result.status === 'rejected');
        if (failed !== undefined) throw failed.reason;
      }
      failures.recordSuccess();
    } catch (error) {
      if (failures.recordFailure()) {
        onTrouble(`the audit log cannot be written, so that no approval counts: ${errorMessage(error)}`);
      }
    }
  }

  /** One run at a time. What comes meanwhile is written afterwards. */
  function nudge(): void {
    again = running !== undefined;
    running ??= writeAll().finally(() => {
      running = undefined;
      if (again) nudge();
    });
  }

  let soon: NodeJS.Timeout | undefined;
  const timer = setInterval(nudge, intervalMilliseconds);
  timer.unref();
  // What the process before this one did not write.
  nudge();
  return {
    record(event) {
      const { about, ...members } = event;
      // With milliseconds, as guards have: their records are read together with these.
      const time = new Date().toISOString();
      const whole: AuditEvent = { id: randomUUID(), time, phase: 'authority', ...members, request: { id: about } };
      soon ??= setTimeout(() => {
        soon = undefined;
        nudge();
      }, soonMilliseconds).unref();
      return [
        sql`INSERT INTO countersign_audit (about, event, next_at) VALUES (${about}, ${JSON.stringify(whole)}, 0)`,
      ];
    },
    async isWritten(about) {
      return (await store.run(sql`SELECT idx FROM countersign_audit WHERE about = ${about} LIMIT 1`)).length === 0;
    },
    async close() {
      clearInterval(timer);
      clearTimeout(soon);
      again = false;
      await running;
      await writeAll();
    },
  };
}

interface Written {
  readonly idx: number;
  readonly event: string;
}

function eventIn(text: string): AuditEvent {
  const read = parseStrictJson(text);
  if (!read.ok || !isJsonObject(read.value)) throw new Error('an event of the store cannot be read');
  return read.value as unknown as AuditEvent;
}
