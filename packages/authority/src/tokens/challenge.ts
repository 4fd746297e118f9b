import { createHmac, createPublicKey, randomBytes, timingSafeEqual, verify } from 'node:crypto';
import { type JsonObject, member } from '@countersign/common';
import { currentKeys, mayAct, type RegisteredAgent, type RegisteredKey } from '../agents/agent.js';
import { isAgentId } from '../agents/read-agent.js';
import type { AgentRegistry } from '../agents/registry.js';
import { AuthorityError } from '../authority-error.js';
import { deriveKey } from '../keys/seal.js';
import type { Settings } from '../options/read-options.js';
import { takeOnce } from '../storage/one-time.js';
import { sql, type Store } from '../storage/store.js';
import type { IssuedToken, IssueToken } from './issue.js';
import { grantScope, readResource } from './narrow.js';
import { oauthError } from './oauth-error.js';

/** A challenge for one agent. Its message is what the agent signs. */
export interface Challenge {
  readonly message: string;
  readonly expires_in: number;
}

/**
 * The signed challenge: an agent that has nothing but its key asks for a challenge, signs it, and trades
 * `{ agent_id, message, signature }` for a short-lived token.
 */
export interface Challenges {
  /** @throws OAuth errors */
  create(body: JsonObject): Challenge;
  /** Lets an agent sign a message that the application chose, once. @throws AuthorityError `challenge_taken` */
  expect(agentId: string, message: string, ttlSeconds?: number): Promise<void>;
  /** @throws OAuth errors */
  redeem(body: JsonObject): Promise<IssuedToken>;
}

export interface ChallengeServices {
  readonly settings: Settings;
  readonly agents: AgentRegistry;
  readonly issue: IssueToken;
  readonly now: () => number;
}

const lifetimeSeconds = 60;
const prefix = 'countersign-challenge:';
/**
 * What an agent may be asked to sign. No signature base of a request and no JWT has this form, so that a signature for a
 * challenge is good for nothing else.
 */
const messageForm = /^[a-z][a-z0-9-]{0,63}:[A-Za-z0-9_-]{1,256}$/;

export function createChallenges({ settings, agents, issue, now }: ChallengeServices): Challenges {
  const { store, resources, tokenLifetimeSeconds } = settings;
  const secret = deriveKey(settings.secret, 'challenges');

  /** Not stored until it is used: strangers can ask for any number. */
  function compose(agentId: string, expiresAt: number, random: string): string {
    const head = `${expiresAt.toString(36)}-${random}`;
    const proof = createHmac('sha256', secret).update(`${agentId}\n${head}`).digest('hex');
    return `${prefix}${head}-${proof}`;
  }

  async function take(agentId: string, message: string): Promise<boolean> {
    const [, expires = '', random = ''] =
      /^countersign-challenge:([0-9a-z]+)-([0-9a-f]{32})-[0-9a-f]{64}$/.exec(message) ?? [];
    if (random === '') return await takeExpected(store, agentId, message, now());
    const expiresAt = Number.parseInt(expires, 36);
    if (!isEqual(message, compose(agentId, expiresAt, random)) || expiresAt <= now()) return false;
    return await takeOnce(store, 'challenge', `${agentId} ${random}`, expiresAt);
  }

  return {
    create(body) {
      const agentId = member(body, 'agent_id');
      if (!isAgentId(agentId)) throw oauthError('invalid_request', "'agent_id' must be the id of an agent");
      // The same for strangers: who is registered is not told.
      const message = compose(agentId, now() + lifetimeSeconds, randomBytes(16).toString('hex'));
      return { message, expires_in: lifetimeSeconds };
    },

    async expect(agentId, message, ttlSeconds = lifetimeSeconds) {
      if (!isAgentId(agentId) || !messageForm.test(message) || message.startsWith(prefix)) {
        throw new AuthorityError(
          'agent_invalid',
          "a message is like 'approve-request:174325', of letters, digits, '-' and '_'",
        );
      }
      const added = await store.run(sql`
        INSERT INTO countersign_models (model, id, payload, expires_at)
        VALUES ('Challenge', ${`${agentId} ${message}`}, '{}', ${now() + ttlSeconds})
        ON CONFLICT (model, id) DO NOTHING RETURNING id`);
      if (added.length === 0) throw new AuthorityError('challenge_taken', 'this agent was given this message before');
    },

    async redeem(body) {
      const { agentId, message, signature } = readRedemption(body);
      const at = now();
      const agent = await agents.get(agentId);
      const key = agent !== undefined && mayAct(agent, at) ? signerOf(agent, message, signature, at) : undefined;
      // The signature first: a stranger must not use up the challenge of an agent.
      if (agent === undefined || key === undefined || !(await take(agentId, message))) throw refused();
      return await issueFor(agent, key, body);
    },
  };

  async function issueFor(agent: RegisteredAgent, key: RegisteredKey, body: JsonObject): Promise<IssuedToken> {
    const resource = readResource(member(body, 'resource'), resources);
    const issued = await issue({
      agent: agent.id,
      subject: agent.id,
      priorActors: [],
      resource,
      scope: grantScope(resource, member(body, 'scope'), agent.capabilities),
      expiresAt: now() + tokenLifetimeSeconds,
      thumbprint: key.thumbprint,
      confirmation: { jkt: key.thumbprint, jwk: key.jwk },
      tokenType: 'Bearer',
    });
    if (issued === undefined) throw refused();
    return issued;
  }
}

/** The three members, `message` and `signature` in base64. */
function readRedemption(body: JsonObject): {
  readonly agentId: string;
  readonly message: string;
  readonly signature: Buffer;
} {
  const [agentId, message, signature] = ['agent_id', 'message', 'signature'].map((name) => member(body, name));
  const bytes = [message, signature].map((text) => (typeof text === 'string' ? decode(text) : undefined));
  const [signed, proof] = bytes;
  if (!isAgentId(agentId) || signed === undefined || proof?.length !== 64) {
    throw oauthError('invalid_request', "send 'agent_id', and 'message' and 'signature' in base64");
  }
  return { agentId, message: signed.toString('utf8'), signature: proof };
}

function decode(text: string): Buffer | undefined {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : undefined;
}

function signerOf(agent: RegisteredAgent, message: string, signature: Buffer, now: number): RegisteredKey | undefined {
  if (!messageForm.test(message)) return undefined;
  return currentKeys(agent, now).find(({ jwk }) =>
    verify(null, Buffer.from(message), createPublicKey({ key: { ...jwk }, format: 'jwk' }), signature),
  );
}

async function takeExpected(store: Store, agentId: string, message: string, now: number): Promise<boolean> {
  const taken = await store.run(sql`
    UPDATE countersign_models SET consumed_at = ${now}
    WHERE model = 'Challenge' AND id = ${`${agentId} ${message}`} AND consumed_at IS NULL AND expires_at > ${now}
    RETURNING id`);
  return taken.length === 1;
}

function isEqual(a: string, b: string): boolean {
  const [one, other] = [Buffer.from(a), Buffer.from(b)];
  return one.length === other.length && timingSafeEqual(one, other);
}

function refused(): Error {
  return oauthError('invalid_grant', 'the challenge or its signature does not count');
}
