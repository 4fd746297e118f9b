import { randomUUID } from 'node:crypto';
import { type AuthorizationDetail, formatScope, readClaims, type Scope } from '@countersign/delegation';
import { noTrail, type Trail } from '../trail/trail.js';
import { laterTime } from '../storage/clock.js';
import { taking } from '../storage/one-time.js';
import {
  numberOf,
  optionalNumber,
  required,
  type Row,
  sql,
  type Statement,
  type Store,
  textOf,
} from '../storage/store.js';
import { ending, notEnded } from './ends.js';
import type { Ledger } from './ledger.js';

/** What a user lets an agent do. */
export interface ConsentContent {
  readonly subject: string;
  readonly agent: string;
  readonly audience: string;
  readonly scope: Scope;
  readonly authorizationDetails?: readonly AuthorizationDetail[];
  /** 0: other agents may not act. Absent: not limited. */
  readonly maxHops?: number;
  /** Unix seconds. */
  readonly expiresAt: number;
}

/** A consent in force. It is a delegation of the ledger, from which the tokens of the agent are made. */
export interface Consent extends ConsentContent {
  readonly id: string;
  /** Tokens that can still be made from it. Absent: not limited. */
  readonly usesLeft?: number;
}

export interface Consents {
  /**
   * Records the answer of a user. Undefined, and nothing is recorded, if the question was answered before, the agent may not
   * act, or the user was revoked. `since`: from `sinceLastEnd`, when they were asked.
   */
  give(
    content: ConsentContent,
    options: {
      readonly uses?: number;
      readonly question: string;
      readonly questionEnds: number;
      readonly since: number;
    },
  ): Promise<string | undefined>;
  find(id: string): Promise<Consent | undefined>;
  /** Takes one use, as a part of the transaction that issues the token. */
  takeUse(id: string): Statement;
  /** The consents in force of a user, newest first. */
  listOf(subject: string): Promise<readonly Consent[]>;
}

export function createConsents(
  store: Store,
  ledger: Ledger,
  issuer: string,
  now: () => number,
  trail: Trail = noTrail,
): Consents {
  async function withUses(row: Row): Promise<Consent | undefined> {
    const id = textOf(row, 'id');
    const entry = await ledger.find(id);
    const read = entry === undefined ? undefined : readClaims({ ...entry.claims });
    if (entry === undefined || read?.ok !== true) return undefined;
    const { claims } = read;
    const usesLeft = optionalNumber(row, 'uses_left');
    return {
      id,
      subject: entry.subject,
      agent: entry.actor,
      audience: String(claims.audience[0]),
      scope: claims.scope,
      expiresAt: entry.expiresAt,
      ...(claims.authorizationDetails !== undefined && { authorizationDetails: claims.authorizationDetails }),
      ...(claims.maxHops !== undefined && { maxHops: claims.maxHops }),
      ...(usesLeft !== undefined && { usesLeft }),
    };
  }

  return {
    async give(content, { uses, question, questionEnds, since }) {
      const { subject, agent, audience, scope, authorizationDetails, maxHops, expiresAt } = content;
      const id = randomUUID();
      const claims = {
        iss: issuer,
        sub: subject,
        aud: audience,
        client_id: agent,
        scope: formatScope(scope),
        act: { sub: agent },
        iat: now(),
        exp: expiresAt,
        jti: id,
        ...(authorizationDetails !== undefined && { authorization_details: authorizationDetails }),
        ...(maxHops !== undefined && { max_hops: maxHops }),
      };
      // A consent is for the agent and not for one of its keys, so it outlives a rotation.
      const entry = { id, issuer, subject, actor: agent, thumbprint: '', claims, expiresAt };
      const index = await ledger.record(entry, {
        before: [...notEnded({ subject, agent: '', grantedAt: since }), taking('consent', question, questionEnds)],
        after: [
          sql`INSERT INTO countersign_consents (id, subject, uses_left) VALUES (${id}, ${subject}, ${uses ?? null})`,
          ...trail.record({
            about: id,
            event: { name: 'consent.given', by: { id: subject, type: 'user' } },
            actor: { id: agent },
            subject: { id: subject, type: 'user' },
            scope,
            detail: `for ${audience} until ${new Date(expiresAt * 1000).toISOString()}`,
          }),
        ],
      });
      return index === undefined ? undefined : id;
    },

    async find(id) {
      const [row] = await store.run(sql`SELECT id, uses_left FROM countersign_consents WHERE id = ${id}`);
      return row === undefined ? undefined : await withUses(row);
    },

    takeUse: (id) =>
      required(sql`
        UPDATE countersign_consents SET uses_left = uses_left - 1
        WHERE id = ${id} AND (uses_left IS NULL OR uses_left > 0) RETURNING id`),

    async listOf(subject) {
      const rows = await store.run(sql`
        SELECT c.id, c.uses_left FROM countersign_consents c JOIN countersign_delegations d ON d.id = c.id
        WHERE c.subject = ${subject} AND d.revoked_at IS NULL AND d.expires_at > ${now()}
        ORDER BY d.idx DESC LIMIT 200`);
      const consents = await Promise.all(rows.map(withUses));
      return consents.filter((consent) => consent !== undefined);
    },
  };
}

/** The tokens that an agent holds for a user, by one delegation at the top. */
export interface HeldTokens {
  /** The consent from which they are made. Empty: they were got for a sign-in elsewhere. */
  readonly root: string;
  readonly agent: string;
  readonly tokens: number;
  /** When the last of them expires. */
  readonly expiresAt: number;
}

/** What acts for a user now, for the page on which they see and revoke it. */
export interface UserDelegations {
  /** Without consents themselves. A token whose ancestor is dead is not held. */
  heldFor(subject: string): Promise<readonly HeldTokens[]>;
  /**
   * Revokes a delegation of this user, all of one agent, or all. Returns how many were marked. Of agents the end is
   * remembered, also if none was.
   */
  revoke(subject: string, what: { readonly delegation: string } | { readonly agent: string } | 'all'): Promise<number>;
}

export function createUserDelegations(store: Store, now: () => number, trail: Trail = noTrail): UserDelegations {
  return {
    async heldFor(subject) {
      const at = now();
      const rows = await store.run(sql`
        WITH RECURSIVE live (id, actor, expires_at, root) AS (
          SELECT id, actor, expires_at, id FROM countersign_delegations
          WHERE subject = ${subject} AND actor <> ${subject} AND parent_id IS NULL AND revoked_at IS NULL
            AND expires_at > ${at}
          UNION ALL
          SELECT d.id, d.actor, d.expires_at, live.root FROM countersign_delegations d
          JOIN live ON d.parent_id = live.id WHERE d.revoked_at IS NULL AND d.expires_at > ${at})
        SELECT COALESCE(c.id, '') AS consent, live.actor, COUNT(*) AS tokens, MAX(live.expires_at) AS expires_at
        FROM live LEFT JOIN countersign_consents c ON c.id = live.root
        WHERE live.id NOT IN (SELECT id FROM countersign_consents WHERE subject = ${subject})
        GROUP BY consent, live.actor ORDER BY live.actor LIMIT 2000`);
      return rows.map((row) => ({
        root: textOf(row, 'consent'),
        agent: textOf(row, 'actor'),
        tokens: numberOf(row, 'tokens'),
        expiresAt: numberOf(row, 'expires_at'),
      }));
    },

    async revoke(subject, what) {
      const at = now();
      const change =
        what === 'all'
          ? sql`
              UPDATE countersign_delegations SET revoked_at = ${at}
              WHERE subject = ${subject} AND actor <> ${subject} AND revoked_at IS NULL RETURNING id`
          : 'agent' in what
            ? sql`
                UPDATE countersign_delegations SET revoked_at = ${at}
                WHERE subject = ${subject} AND actor = ${what.agent} AND revoked_at IS NULL RETURNING id`
            : sql`
                UPDATE countersign_delegations SET revoked_at = ${at}
                WHERE subject = ${subject} AND id = ${what.delegation} AND revoked_at IS NULL RETURNING id`;
      const event = {
        about: what !== 'all' && 'delegation' in what ? what.delegation : subject,
        event: { name: 'consent.ended', by: { id: subject, type: 'user' } },
        ...(what !== 'all' && 'agent' in what && { actor: { id: what.agent } }),
        subject: { id: subject, type: 'user' },
        ...(what === 'all' && { detail: 'all agents' }),
      } as const;
      const ended = what === 'all' ? { subject } : 'agent' in what ? { subject, agent: what.agent } : undefined;
      const ends = ended === undefined ? [] : ending(ended, await laterTime(store, at));
      const marked = ends.length === 0 ? required(change) : change;
      const done = (await store.batch([...ends, marked, ...trail.record(event)])) ?? [];
      return done[ends.length]?.length ?? 0;
    },
  };
}
