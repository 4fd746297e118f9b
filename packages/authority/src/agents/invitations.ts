import { randomBytes } from 'node:crypto';
import { integerOption, type JsonObject, parseStrictJson, isJsonObject } from '@countersign/common';
import { AuthorityError } from '../authority-error.js';
import { numberOf, required, type Row, sql, type Statement, type Store, textOf } from '../storage/store.js';
import { noTrail, type Trail } from '../trail/trail.js';
import { agentEvent } from './agent-event.js';
import { columnsOf } from './agent-rows.js';
import { isAgentId, readFacts, readNewId } from './read-agent.js';
import { tokenDigestText } from '../storage/token-digest.js';

/** What an invitation pins. The agent chooses its key, and nothing else. */
export interface InvitedAgent extends JsonObject {
  readonly id: string;
  readonly status: 'pending' | 'active';
}

/** An initial access token (RFC 7591 §1.2) for one registration of one agent. */
export interface Invitation {
  readonly initial_access_token: string;
  readonly agent_id: string;
  /** Unix seconds. */
  readonly expires_at: number;
}

/** An invitation that nobody has used, without its token. */
export interface OpenInvitation {
  readonly agent: InvitedAgent;
  /** Unix seconds. */
  readonly expires_at: number;
}

export interface Invitations {
  /**
   * Makes an invitation of an agent: as for `agents.add`, without keys. `ttlSeconds` is 60 to 604800, default 3600.
   *
   * @throws AuthorityError `agent_invalid`.
   */
  create(agent: JsonObject): Promise<Invitation>;
  /** Those that can be used now, the one that expires first at the beginning. */
  list(): Promise<readonly OpenInvitation[]>;
  /** Ends all that are open for the agent. Returns how many. */
  remove(agentId: string): Promise<number>;
  /** What the token pins; undefined if it is unknown or expired. */
  find(token: string): Promise<InvitedAgent | undefined>;
  /** The statement that uses the token up, to be required in the batch of the registration. */
  take(token: string): Statement;
}

export function createInvitations(store: Store, now: () => number, trail: Trail = noTrail): Invitations {
  return {
    async create({ ttlSeconds = 3600, id: newId, status = 'active', ...facts }) {
      const id = readNewId(newId);
      if (status !== 'active' && status !== 'pending') throw invalid("a new agent is 'active' or 'pending'");
      const { tags } = columnsOf(readFacts(facts));
      const token = randomBytes(32).toString('base64url');
      const expiresAt = now() + readLifetime(ttlSeconds);
      await store.batch([
        sql`
          INSERT INTO countersign_invitations (digest, agent, agent_id, tags, expires_at)
          VALUES (${tokenDigestText(token)}, ${JSON.stringify({ ...facts, id, status })}, ${id}, ${tags}, ${expiresAt})`,
        ...trail.record(agentEvent('invited', id)),
      ]);
      return { initial_access_token: token, agent_id: id, expires_at: expiresAt };
    },

    async list() {
      const rows = await store.run(sql`
        SELECT agent, expires_at FROM countersign_invitations WHERE expires_at > ${now()} ORDER BY expires_at, agent_id`);
      return rows.flatMap((row) => {
        const agent = agentIn(row);
        return agent === undefined ? [] : [{ agent, expires_at: numberOf(row, 'expires_at') }];
      });
    },

    async remove(agentId) {
      if (!isAgentId(agentId)) return 0;
      const ended = trail.record(agentEvent('invitation_ended', agentId));
      return (await store.batch([required(endInvitations({ id: agentId })), ...ended]))?.[0]?.length ?? 0;
    },

    async find(token) {
      const [row] = await store.run(sql`
        SELECT agent FROM countersign_invitations WHERE digest = ${tokenDigestText(token)} AND expires_at > ${now()}`);
      return row === undefined ? undefined : agentIn(row);
    },

    take: (token) =>
      required(sql`
        DELETE FROM countersign_invitations WHERE digest = ${tokenDigestText(token)} AND expires_at > ${now()} RETURNING digest`),
  };
}

/**
 * Ends the open invitations of an agent, or with a tag. Before a change of agents in the same transaction: a registration
 * that began earlier is then among the agents.
 */
export function endInvitations(of: { readonly id: string } | { readonly tag: string }): Statement {
  return 'id' in of
    ? sql`DELETE FROM countersign_invitations WHERE agent_id = ${of.id} RETURNING digest`
    : sql`DELETE FROM countersign_invitations WHERE tags LIKE ${`% ${of.tag} %`} RETURNING digest`;
}

function agentIn(row: Row): InvitedAgent | undefined {
  const read = parseStrictJson(Buffer.from(textOf(row, 'agent')));
  return read.ok && isJsonObject(read.value) ? (read.value as InvitedAgent) : undefined;
}

function readLifetime(value: unknown): number {
  try {
    return integerOption('an invitation', 'ttlSeconds', value, 60, 604_800);
  } catch {
    throw invalid("'ttlSeconds' must be whole seconds from 60 to 604800");
  }
}

function invalid(detail: string): AuthorityError {
  return new AuthorityError('agent_invalid', detail);
}
