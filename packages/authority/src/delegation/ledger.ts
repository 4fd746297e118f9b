import { checkOptionNames, ConfigError, isJsonObject, type JsonObject, parseStrictJson } from '@countersign/common';
import { maxAncestors } from '@countersign/delegation';
import { administrator } from '../agents/agent-event.js';
import { noTrail, type Trail, type TrailEvent } from '../trail/trail.js';
import { laterTime } from '../storage/clock.js';
import { numberOf, required, type Row, sql, type Statement, type Store, textOf } from '../storage/store.js';
import { ending } from './ends.js';
import { missingPlaces } from './missing-places.js';
import { endingDecisions } from './revoked-approver.js';

/** A token that was issued: one hop of a delegation. */
export interface LedgerEntry {
  /** `jti`: the id of the delegation. */
  readonly id: string;
  /** The delegation that it was made from. */
  readonly parentId?: string;
  /** Issuer of the token that the first hop was made from. */
  readonly issuer: string;
  readonly subject: string;
  readonly actor: string;
  /** The registered key with which the actor proved itself. The token dies with it. Empty: of a consent, which has no key. */
  readonly thumbprint: string;
  /** The claims of the token. */
  readonly claims: JsonObject;
  /** Unix seconds. */
  readonly expiresAt: number;
  /** Unix seconds: since when the subject lets agents act. Default: the same as of the parent, and now without one. */
  readonly grantedAt?: number;
}

/** What happens in one transaction with the record of a hop. */
export interface OtherStatements {
  readonly before?: readonly Statement[];
  readonly after?: readonly Statement[];
}

/**
 * What can be revoked: one delegation with all below it, or all of a subject or of an actor. Of a subject or an actor the
 * end is remembered: earlier sign-ins of users give the agents no new tokens.
 */
export type Revoked = { readonly delegation: string } | { readonly subject: string } | { readonly actor: string };

/**
 * The delegations that are in force. Revoking marks one row; what lies below it is found when it is read, so that a hop
 * made at the same moment dies too.
 */
export interface Ledger {
  /**
   * Records a hop, if its agent may act and its parent is in force, and returns its place in the status list. The other
   * statements are part of the transaction.
   */
  record(entry: LedgerEntry, others?: OtherStatements): Promise<number | undefined>;
  /** The hop, if it and all hops above it are in force and their agents may act. */
  find(id: string): Promise<LedgerEntry | undefined>;
  /**
   * Revokes, and returns the number of delegations that were in force and are marked now. The sessions of a subject end as
   * well, and its decisions count no more, except in approvals that agents have. `by`: default an administrator.
   *
   * @throws ConfigError if it does not say clearly what.
   */
  revoke(what: Revoked, by?: TrailEvent['event']['by']): Promise<number>;
  /** The places of all dead hops in the status lists. */
  dead(): Promise<readonly number[]>;
  /**
   * The places that were given out and have no row any more, as ranges with both ends. Nothing is known of their tokens, so
   * they count as dead: a sweeper with a wrong clock must not bring them to life. Read after `dead`.
   */
  missing(): Promise<readonly (readonly [first: number, last: number])[]>;
  /** The last place that is taken. */
  lastPlace(): Promise<number>;
  /** The hops in force of a subject, newest first: for the page on which users see them. */
  listOf(subject: string): Promise<readonly LedgerEntry[]>;
}

/** A token with all its ancestors. A chain of more could not be checked at once. */
const mostHops = maxAncestors + 1;

/** No token lives longer, so no token is bound to a key that ended longer ago. A margin for clocks is in it. */
const longestToken = 4200;

/** `subjectRevoked` is called after a subject was revoked. */
export function createLedger(
  store: Store,
  now: () => number,
  trail: Trail = noTrail,
  subjectRevoked: () => void = () => {},
): Ledger {
  return {
    async record(
      { id, parentId, issuer, subject, actor, thumbprint, claims, expiresAt, grantedAt },
      { before = [], after = [] } = {},
    ) {
      const at = now();
      const agent = sql`
        SELECT id FROM countersign_agents
        WHERE id = ${actor} AND status = 'active' AND (expires_at IS NULL OR expires_at > ${at})`;
      // Up to the first hop, as `find` reads it: no token is issued that it would not find.
      const parent = sql`
        WITH RECURSIVE up (id, parent_id, hops) AS (
          SELECT id, parent_id, 1 FROM countersign_delegations
          WHERE id = ${parentId ?? null} AND revoked_at IS NULL AND expires_at > ${at}
          UNION ALL
          SELECT d.id, d.parent_id, up.hops + 1
          FROM countersign_delegations d JOIN up ON d.id = up.parent_id WHERE up.hops < ${mostHops - 1})
        SELECT id FROM up WHERE parent_id IS NULL`;
      const insert = sql`
        INSERT INTO countersign_delegations
          (id, parent_id, issuer, subject, actor, thumbprint, claims, expires_at, created_at, granted_at)
        VALUES (${id}, ${parentId ?? null}, ${issuer}, ${subject}, ${actor}, ${thumbprint}, ${JSON.stringify(claims)},
          ${expiresAt}, ${at}, COALESCE(${grantedAt ?? null},
            (SELECT granted_at FROM countersign_delegations WHERE id = ${parentId ?? null}), ${at}))
        RETURNING idx`;
      const done = await store.batch([
        ...before,
        ...[agent, ...(parentId === undefined ? [] : [parent]), insert].map(required),
        ...after,
      ]);
      const row = done?.at(-1 - after.length)?.[0];
      return row === undefined ? undefined : numberOf(row, 'idx');
    },

    async find(id) {
      const at = now();
      const rows = await store.run(sql`
        WITH RECURSIVE up (id, parent_id, issuer, subject, actor, thumbprint, claims, expires_at, revoked_at, hops) AS (
          SELECT id, parent_id, issuer, subject, actor, thumbprint, claims, expires_at, revoked_at, 1
          FROM countersign_delegations WHERE id = ${id}
          UNION ALL
          SELECT d.id, d.parent_id, d.issuer, d.subject, d.actor, d.thumbprint, d.claims, d.expires_at, d.revoked_at,
            up.hops + 1
          FROM countersign_delegations d JOIN up ON d.id = up.parent_id WHERE up.hops < ${mostHops})
        SELECT up.*, a.status AS status, a.expires_at AS agent_expires_at, k.expires_at AS key_expires_at
        FROM up LEFT JOIN countersign_agents a ON a.id = up.actor
        LEFT JOIN countersign_keys k ON k.thumbprint = up.thumbprint ORDER BY up.hops`);
      const last = rows.at(-1);
      // A missing ancestor must not pass for one that is in force.
      if (last === undefined || last['parent_id'] !== null) return undefined;
      return rows.every((row) => inForce(row, at)) && rows[0] !== undefined ? entryOf(rows[0]) : undefined;
    },

    async revoke(what, by = administrator) {
      const at = now();
      const [kind, name] = readRevoked(what);
      const change =
        'delegation' in what
          ? sql`
              UPDATE countersign_delegations SET revoked_at = ${at}
              WHERE id = ${what.delegation} AND revoked_at IS NULL RETURNING id`
          : 'subject' in what
            ? sql`
                UPDATE countersign_delegations SET revoked_at = ${at}
                WHERE subject = ${what.subject} AND revoked_at IS NULL AND expires_at > ${at} RETURNING id`
            : sql`
                UPDATE countersign_delegations SET revoked_at = ${at}
                WHERE actor = ${what.actor} AND revoked_at IS NULL AND expires_at > ${at} RETURNING id`;
      const event = { about: name, event: { name: 'delegation.revoked', by }, detail: `${kind} ${name}` };
      const ended = 'subject' in what ? { subject: what.subject } : 'actor' in what ? { agent: what.actor } : undefined;
      const ends = ended === undefined ? [] : ending(ended, await laterTime(store, at));
      const marked = ends.length === 0 ? required(change) : change;
      // A user who is locked out at the provider must not consent again.
      const lockedOut =
        'subject' in what
          ? [
              sql`DELETE FROM countersign_sessions WHERE subject = ${what.subject}`,
              ...endingDecisions(what.subject, at),
            ]
          : [];
      const done = (await store.batch([...ends, marked, ...lockedOut, ...trail.record(event)])) ?? [];
      if ('subject' in what) subjectRevoked();
      return done[ends.length]?.length ?? 0;
    },

    async dead() {
      const at = now();
      const rows = await store.run(sql`
        WITH RECURSIVE seeds (id, idx) AS (
          SELECT id, idx FROM countersign_delegations WHERE revoked_at IS NOT NULL
          UNION
          SELECT id, idx FROM countersign_delegations WHERE actor IN
            (SELECT id FROM countersign_agents WHERE status <> 'active' OR expires_at <= ${at})
          UNION
          SELECT id, idx FROM countersign_delegations WHERE thumbprint IN
            (SELECT thumbprint FROM countersign_keys WHERE expires_at <= ${at} AND expires_at > ${at - longestToken})),
        dead (id, idx) AS (
          SELECT id, idx FROM seeds
          UNION
          SELECT d.id, d.idx FROM countersign_delegations d JOIN dead ON d.parent_id = dead.id)
        SELECT idx FROM dead`);
      return rows.map((row) => numberOf(row, 'idx'));
    },

    missing: async () => await missingPlaces(store, now()),

    async lastPlace() {
      const [row] = await store.run(sql`SELECT COALESCE(MAX(idx), 0) AS idx FROM countersign_delegations`);
      return row === undefined ? 0 : numberOf(row, 'idx');
    },

    async listOf(subject) {
      const rows = await store.run(sql`
        SELECT * FROM countersign_delegations
        WHERE subject = ${subject} AND actor <> ${subject} AND revoked_at IS NULL AND expires_at > ${now()}
        ORDER BY idx DESC LIMIT 500`);
      return rows.map(entryOf);
    },
  };
}

function inForce(row: Row, now: number): boolean {
  return (
    row['revoked_at'] === null &&
    numberOf(row, 'expires_at') > now &&
    row['status'] === 'active' &&
    isBefore(now, row['agent_expires_at']) &&
    isBefore(now, row['key_expires_at'])
  );
}

/** Without an end there is no later. */
function isBefore(now: number, end: unknown): boolean {
  return typeof end !== 'number' || now < end;
}

function entryOf(row: Row): LedgerEntry {
  const claims = parseStrictJson(Buffer.from(textOf(row, 'claims')));
  if (!claims.ok || !isJsonObject(claims.value)) throw new Error('a delegation of the store cannot be read');
  const parentId = row['parent_id'];
  return {
    id: textOf(row, 'id'),
    ...(typeof parentId === 'string' && { parentId }),
    issuer: textOf(row, 'issuer'),
    subject: textOf(row, 'subject'),
    actor: textOf(row, 'actor'),
    thumbprint: textOf(row, 'thumbprint'),
    claims: claims.value,
    expiresAt: numberOf(row, 'expires_at'),
  };
}

/** A misspelt kind would revoke nothing. */
function readRevoked(what: Revoked): readonly [kind: string, name: string] {
  checkOptionNames('delegations.revoke', what, ['delegation', 'subject', 'actor']);
  const [only, ...others] = Object.entries(what);
  if (only !== undefined && others.length === 0 && typeof only[1] === 'string') return only;
  throw new ConfigError(
    "delegations.revoke: name one of 'delegation', 'subject' and 'actor', like { actor: 'agent-1' }.",
  );
}
