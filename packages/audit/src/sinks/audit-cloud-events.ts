import { resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { ConfigError, escapeUnprintable, errorMessage, isPromise } from '@countersign/common';
import { AuditError } from '../record/audit-error.js';
import type { AuditEvent, AuditSink } from '../record/event.js';
import { GroupCommit, maxBatch } from '../disk/group-commit.js';
import { makeFolder } from '../disk/log-files.js';
import { type LogLock, lockLog } from '../disk/log-lock.js';
import { renderEvent } from '../record/record.js';
import { roomFor } from '../record/room.js';
import {
  type AuditCloudEventsOptions,
  type CloudEventsSettings,
  readCloudEventsOptions,
} from './cloud-events-options.js';
import type { Pause } from './batch-queue.js';
import { Delivery } from './delivery.js';
import { Spool } from './spool.js';

/** Most records that wait for the disk. */
const maxQueued = 4096;

/**
 * Sends records as CloudEvents 1.0 over HTTP: POST, `application/cloudevents-batch+json`. `write` resolves once the
 * record is on disk in the spool. From there it is sent at least once, with the same `id`, until the receiver answers 2xx.
 * During an outage records wait in the spool, also across restarts; a full spool refuses further records, those of strangers
 * first. A batch that is too large (413) is split. If a batch fails while the receiver takes other records, the records of
 * the agents that fail are retried apart from those of others; strangers count as one agent. Records that the receiver
 * never takes alone are quarantined in the spool as `rejected-….jsonl`, for you to inspect, or dropped if there is no room.
 * One process uses a spool.
 * Redirects are not followed.
 *
 * @throws ConfigError if an option is wrong, or the spool cannot be written, is used by another process or holds a link.
 *
 * @example
 * fanOut([
 *   auditFile('audit'),
 *   {
 *     sink: auditCloudEvents('https://siem.example/events', { source: 'https://api.acme.dev', spoolDirectory: 'spool' }),
 *     onFailure: 'report',
 *   },
 * ]);
 */
export function auditCloudEvents(address: string, options: AuditCloudEventsOptions): AuditSink {
  return auditCloudEventsWith(pause, address, options);
}

/** `auditCloudEvents` with a pause between attempts that a test can end. */
export function auditCloudEventsWith(between: Pause, address: string, options: AuditCloudEventsOptions): AuditSink {
  const settings = readCloudEventsOptions(address, options);
  const { spool, delayed, lock } = openSpools(settings);
  const delivery = new Delivery(spool, delayed, settings, between, sealLater);
  let timer: NodeJS.Timeout | undefined;
  /** Bytes of records that wait for the disk. */
  let queuedBytes = 0;

  async function commit(entries: readonly (string | undefined)[]): Promise<void> {
    const lines = entries.filter((entry) => entry !== undefined);
    try {
      if (lines.length > 0) await spool.append(lines);
      // While batches wait that were not tried, the open one grows: one file each `batchSeconds` would fill the spool.
      if (entries.length > lines.length && delivery.isIdle) spool.seal();
    } finally {
      if (delivery.isIdle) sealLater();
      delivery.wake();
    }
  }

  const commits = new GroupCommit(commit, maxQueued, Math.min(maxBatch, settings.batchRecords));

  function sealLater(): void {
    if (spool.isOpen) timer ??= setTimeout(sealSoon, settings.batchMilliseconds).unref();
  }

  // Through the queue, so that no batch is closed during an append.
  function sealSoon(): void {
    timer = undefined;
    commits.add(undefined).catch(() => {});
  }

  delivery.wake();
  let closed: Promise<void> | undefined;
  async function close(): Promise<void> {
    try {
      await commits.close();
      clearTimeout(timer);
      spool.seal();
      await delivery.close();
    } finally {
      lock.release();
    }
  }

  return {
    async write(event) {
      const line = renderCloudEvent(event, settings);
      const bytes = Buffer.byteLength(line) + 1;
      const delayedBytes = delivery.delayedBytes(line);
      // Or an agent whose records fail could leave no room for others.
      const own = spoolRoomFor({ phase: 'authentication' }, settings.maxSpoolBytes);
      if (delayedBytes !== undefined && event.phase !== 'outcome' && delayedBytes + bytes > own) {
        throw new AuditError(
          'overloaded',
          `No more than ${own} bytes of records that failed, and later ones, may wait.`,
        );
      }
      const room = spoolRoomFor(event, settings.maxSpoolBytes);
      // Also of those in the queue: if one does not fit, its whole commit fails.
      if (spool.bytes + delayed.bytes + queuedBytes + bytes > room) {
        throw new AuditError('overloaded', `No more than ${room} bytes of audit records may wait to be sent.`);
      }
      queuedBytes += bytes;
      const undo = delayedBytes === undefined ? undefined : delivery.delay(line);
      try {
        await commits.add(line, roomFor(event, maxQueued));
      } catch (error) {
        undo?.();
        throw error;
      } finally {
        queuedBytes -= bytes;
      }
    },
    backlog: () => ({ unsentBytes: spool.bytes + delayed.bytes }),
    close() {
      closed ??= close();
      return closed;
    },
  };
}

/** How many bytes may wait when an event joins them. The last eighth is for outcomes: the spool has no room beyond `most`. */
function spoolRoomFor(event: Pick<AuditEvent, 'phase' | 'decision'>, most: number): number {
  return Math.min(most, roomFor(event, Math.floor((most * 7) / 8)));
}

/** One line, bounded and printable like a record of a log. */
function renderCloudEvent(event: AuditEvent, { source, data }: CloudEventsSettings): string {
  const bounded = JSON.parse(renderEvent(event)) as AuditEvent;
  const { id, phase, time, actor, resource } = bounded;
  return escapeUnprintable(
    JSON.stringify({
      specversion: '1.0',
      id,
      source,
      type: `dev.countersign.${phase}.v1`,
      time,
      // CloudEvents 1.0 §3.1: a String attribute holds neither controls nor noncharacters.
      ...(resource && { subject: escapeUnprintable(`${resource.type}/${resource.id}`) }),
      // The extension "Partitioning": records of one agent belong together, also for the sink.
      ...(actor && { partitionkey: escapeUnprintable(actor.id) }),
      datacontenttype: 'application/json',
      data: checkData(data(bounded)),
    }),
  );
}

/** Checks the result of `data`. JSON would omit undefined and write a promise as `{}`, and so lose the record silently. */
function checkData(made: unknown): object {
  if (isPromise(made)) {
    made.then(undefined, () => {});
    throw new TypeError("'data' must give an object, not a promise of one");
  }
  if (typeof made !== 'object' || made === null) throw new TypeError("'data' must give an object");
  return made;
}

interface Spools {
  readonly spool: Spool;
  readonly delayed: Spool;
  readonly lock: LogLock;
}

function openSpools(settings: CloudEventsSettings): Spools {
  const { maxSpoolBytes, batchRecords } = settings;
  const folder = resolve(settings.spoolDirectory);
  let lock: LogLock | undefined;
  try {
    makeFolder(folder);
    lock = lockLog(folder, 'auditCloudEvents');
    const spool = new Spool(folder, 'spool', maxSpoolBytes, batchRecords);
    return { spool, delayed: new Spool(folder, 'delayed', maxSpoolBytes, batchRecords), lock };
  } catch (error) {
    lock?.release();
    if (error instanceof ConfigError) throw error;
    throw new ConfigError(`auditCloudEvents: the spool in '${folder}' cannot be used: ${errorMessage(error)}`);
  }
}

async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  // Must not keep the process alive: the records are on disk.
  await delay(milliseconds, undefined, { signal, ref: false }).catch(() => {});
}
