import { createHash } from 'node:crypto';
import { numberOf, required, sql, type Statement, type Store } from '../storage/store.js';

/**
 * What a user or an administrator ended: one agent for a subject, all agents for a subject, or one agent for all subjects.
 * Tokens are marked in the ledger. The end is remembered as well, because an agent may still have the sign-in of the user,
 * which it could exchange again.
 */
export type Ended =
  | { readonly subject: string; readonly agent?: string }
  | { readonly agent: string; readonly subject?: undefined };

/** For whom an agent wants to act, and since when the subject lets agents act. */
export interface Grant {
  readonly subject: string;
  readonly agent: string;
  /** The `iat` of a sign-in elsewhere, in unix seconds. Absent: that of the parent. */
  readonly grantedAt?: number;
  readonly parentId?: string;
}

const locks = 64;

/**
 * Remembers an end. First in its transaction: the exchanges for the subject that began earlier finish before, so that their
 * tokens can be marked. Later ones find the end. Of one agent for a subject only if it is registered: users choose the name.
 */
export function ending(ended: Ended, now: number): readonly Statement[] {
  const { subject = '', agent = '' } = ended;
  const lock =
    subject === '' ? sql`SELECT id FROM countersign_end_locks ORDER BY id FOR UPDATE` : lockOfSubject(subject);
  // A process whose clock is behind must not shorten an end. One of a subject is later than the one before: see `sinceLastEnd`.
  const remember = sql`
    INSERT INTO countersign_ends (subject, agent, ended_at)
    SELECT ${subject}, ${agent}, ${now} WHERE ${subject} = '' OR ${agent} = '' OR EXISTS
      (SELECT 1 FROM countersign_agents WHERE id = ${agent})
    ON CONFLICT (subject, agent) DO UPDATE SET ended_at =
      CASE WHEN excluded.ended_at > countersign_ends.ended_at THEN excluded.ended_at ELSE countersign_ends.ended_at + ${agent === '' ? 1 : 0} END
    RETURNING ended_at`;
  // All agents: one row says it.
  const replaced = sql`
    DELETE FROM countersign_ends WHERE subject = ${subject} AND agent <> '' AND ended_at <= ${now}`;
  return [required(lock), required(remember), ...(agent === '' ? [replaced] : [])];
}

/**
 * The `grantedAt` of what a person does themselves: later than their last end, and not than the next one, whatever the clocks.
 * Read it before the person proves who they are: a revocation before it has ended their session, and `notEnded` finds one
 * after it.
 */
export async function sinceLastEnd(store: Store, subject: string): Promise<number> {
  const [row] = await store.run(sql`SELECT ended_at FROM countersign_ends WHERE subject = ${subject} AND agent = ''`);
  return row === undefined ? 1 : numberOf(row, 'ended_at') + 1;
}

/** Requires that the grant is later than every end. First in its transaction. The same second counts as before the end. */
export function notEnded(grant: Grant): readonly Statement[] {
  return [required(lockOfSubject(grant.subject)), required(standing(grant))];
}

/** Whether that is why a transaction did not happen. */
export async function isEnded(store: Store, grant: Grant): Promise<boolean> {
  return (await store.run(standing(grant))).length === 0;
}

function standing({ subject, agent, grantedAt, parentId }: Grant): Statement {
  return sql`
    SELECT 1 AS standing WHERE NOT EXISTS (
      SELECT 1 FROM countersign_ends WHERE subject IN (${subject}, '') AND agent IN (${agent}, '') AND ended_at >=
        COALESCE(${grantedAt ?? null}, (SELECT granted_at FROM countersign_delegations WHERE id = ${parentId ?? null}), 0))`;
}

/** One of a few rows, so that subjects hardly wait for each other. Exclusive: whoever shared it could keep an end waiting. */
function lockOfSubject(subject: string): Statement {
  const [byte = 0] = createHash('sha256').update(subject).digest();
  return sql`SELECT id FROM countersign_end_locks WHERE id = ${byte % locks} FOR UPDATE`;
}
