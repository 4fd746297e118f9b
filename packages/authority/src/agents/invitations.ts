import { randomBytes } from 'node:crypto';
import { integerOption, type JsonObject, parseStrictJson, isJsonObject } from '@countersign/common';
import { AuthorityError } from '../authority-error.js';
import { required, sql, type Statement, type Store, textOf } from '../storage/store.js';
import { noTrail, type Trail } from '../trail/trail.js';
import { agentEvent } from './agent-event.js';
import { isAgentId, readFacts } from './read-agent.js';
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

export interface Invitations {
  /**
   * Makes an invitation of an agent: as for `agents.add`, without keys. `ttlSeconds` is 60 to 604800, default 3600.
   *
   * @throws AuthorityError `agent_invalid`.
   */
  create(agent: JsonObject): Promise<Invitation>;
  /** What the token pins; undefined if it is unknown or expired. */
  find(token: string): Promise<InvitedAgent | undefined>;
  /** The statement that uses the token up, to be required in the batch of the registration. */
  take(token: string): Statement;
}

export function createInvitations(store: Store, now: () => number, trail: Trail = noTrail): Invitations {
  return {
    async create({ ttlSeconds = 3600, id, status = 'active', ...facts }) {
      if (!isAgentId(id)) throw invalid('an id is 1 to 256 printable characters of ASCII without space');
      if (status !== 'active' && status !== 'pending') throw invalid("a new agent is 'active' or 'pending'");
      readFacts(facts);
      const token = randomBytes(32).toString('base64url');
      const expiresAt = now() + readLifetime(ttlSeconds);
      await store.batch([
        sql`
          INSERT INTO countersign_invitations (digest, agent, expires_at)
          VALUES (${tokenDigestText(token)}, ${JSON.stringify({ ...facts, id, status })}, ${expiresAt})`,
        ...trail.record(agentEvent('invited', id)),
      ]);
      return { initial_access_token: token, agent_id: id, expires_at: expiresAt };
    },

    async find(token) {
      const [row] = await store.run(sql`
        SELECT agent FROM countersign_invitations WHERE digest = ${tokenDigestText(token)} AND expires_at > ${now()}`);
      const read = row === undefined ? undefined : parseStrictJson(Buffer.from(textOf(row, 'agent')));
      return read?.ok === true && isJsonObject(read.value) ? (read.value as InvitedAgent) : undefined;
    },

    take: (token) =>
      required(sql`
        DELETE FROM countersign_invitations WHERE digest = ${tokenDigestText(token)} AND expires_at > ${now()} RETURNING digest`),
  };
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
