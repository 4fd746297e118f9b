import { randomUUID } from 'node:crypto';
import type { ChannelOptions } from '../options/authority-options.js';
import { numberOf, optionalText, type Row, sql, type Statement, type Store, textOf } from '../storage/store.js';
import { type Approval, type ApprovalEvent, groupsAsked } from './approval.js';

/** A message to one channel that is not delivered yet. */
export interface Outgoing {
  readonly id: string;
  readonly approvalId: string;
  readonly channel: string;
  readonly event: ApprovalEvent;
  /** With the one that is made now. */
  readonly attempts: number;
}

/** A message that was given up. Times are unix seconds. */
export interface DeadLetter extends Outgoing {
  readonly problem: string;
  readonly createdAt: number;
}

/** Messages, from the transaction of their event until they are delivered. */
export interface Outbox {
  /** The statements that put the messages about an event into it. */
  announce(approval: Approval, event: ApprovalEvent): readonly Statement[];
  /** Takes messages that are due for some time: of several processes one gets each. */
  take(): Promise<readonly Outgoing[]>;
  delivered(id: string): Promise<void>;
  /** Tries again later, or gives the message up. */
  failed(outgoing: Outgoing, problem: string): Promise<void>;
  deadLetters(): Promise<readonly DeadLetter[]>;
  /** Tries those again that were given up, and returns their number. */
  retryDeadLetters(): Promise<number>;
}

/** Seconds after each failure. After the last, a message is given up: some 10 hours after its event. */
const delays = [10, 60, 300, 1800, 7200, 28_800];
/** A process that dies meanwhile has not delivered. */
const leaseSeconds = 60;
const atOnce = 20;
const mostShown = 500;
const longestProblem = 300;

export function createOutbox(store: Store, channels: readonly ChannelOptions[], now: () => number): Outbox {
  return {
    announce(approval, event) {
      const asked = groupsAsked(approval.request);
      return channels
        .filter((channel) => concerns(channel, event, asked))
        .map(
          ({ name }) => sql`
            INSERT INTO countersign_notifications (id, approval_id, channel, event, attempts, next_at, created_at)
            VALUES (${randomUUID()}, ${approval.id}, ${name}, ${event}, 0, ${now()}, ${now()})`,
        );
    },

    async take() {
      const at = now();
      // The moment is compared twice: another process may have taken one since it was selected.
      const rows = await store.run(sql`
        UPDATE countersign_notifications SET next_at = ${at + leaseSeconds}, attempts = attempts + 1
        WHERE next_at <= ${at} AND id IN
          (SELECT id FROM countersign_notifications WHERE next_at <= ${at} ORDER BY next_at LIMIT ${atOnce})
        RETURNING *`);
      return rows.map(outgoingOf);
    },

    async delivered(id) {
      await store.run(sql`DELETE FROM countersign_notifications WHERE id = ${id}`);
    },

    async failed({ id, attempts }, problem) {
      const delay = delays[attempts - 1];
      const nextAt = delay === undefined ? null : now() + delay;
      await store.run(sql`
        UPDATE countersign_notifications SET next_at = ${nextAt}, problem = ${problem.slice(0, longestProblem)}
        WHERE id = ${id}`);
    },

    async deadLetters() {
      const rows = await store.run(sql`
        SELECT * FROM countersign_notifications WHERE next_at IS NULL ORDER BY created_at LIMIT ${mostShown}`);
      return rows.map((row) => ({
        ...outgoingOf(row),
        problem: optionalText(row, 'problem') ?? '',
        createdAt: numberOf(row, 'created_at'),
      }));
    },

    async retryDeadLetters() {
      const rows = await store.run(sql`
        UPDATE countersign_notifications SET next_at = ${now()}, attempts = 0 WHERE next_at IS NULL RETURNING id`);
      return rows.length;
    },
  };
}

/** An emergency is loud: every channel is told. People who read a chat need not read every decision. */
function concerns({ type, groups }: ChannelOptions, event: ApprovalEvent, asked: readonly string[]): boolean {
  if (event === 'break_glass') return true;
  if (type !== 'webhook' && event !== 'asked') return false;
  return groups === undefined || groups.some((group) => asked.includes(group));
}

function outgoingOf(row: Row): Outgoing {
  return {
    id: textOf(row, 'id'),
    approvalId: textOf(row, 'approval_id'),
    channel: textOf(row, 'channel'),
    event: textOf(row, 'event') as ApprovalEvent,
    attempts: numberOf(row, 'attempts'),
  };
}
