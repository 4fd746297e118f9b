import { randomBytes, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { isJsonObject, type JsonObject, member } from '@countersign/common';
import { AuthorityError } from '../authority-error.js';
import { bearerOf, unauthorized } from './bearer.js';
import { type Answer, BadRequest, decodeSegment, readJson } from './answer.js';
import { required, sql, type Store, textOf } from '../storage/store.js';
import { checkKeyProofs } from './key-proof.js';
import { clientOf } from '../tokens/client-agent.js';
import { agentEvent } from '../agents/agent-event.js';
import type { Trail, TrailEvent } from '../trail/trail.js';
import { currentKeys, mayAct, type RegisteredAgent, type RegisteredKey } from '../agents/agent.js';
import type { Invitations } from '../agents/invitations.js';
import { tokenDigest, tokenDigestText } from '../storage/token-digest.js';
import { isAgentId, readKey } from '../agents/read-agent.js';
import { directoryChange } from '../agents/directory.js';
import { fewKeys, insertAnotherKey, mostKeysInAnHour } from '../agents/key-changes.js';
import { type AgentRegistry, agentExists, insertAgent, keyTaken } from '../agents/registry.js';

export interface RegistrationServices {
  readonly issuer: string;
  readonly store: Store;
  readonly agents: AgentRegistry;
  readonly invitations: Invitations;
  readonly trail: Trail;
  readonly now: () => number;
}

/**
 * Dynamic client registration (RFC 7591) and its management (RFC 7592). By hand, because here the agent chooses its keys
 * only: id, scope, owner, roles and status are pinned by the invitation, whatever the request says, also later.
 * Undefined: no such route.
 */
export async function registration(
  request: IncomingMessage,
  path: string,
  services: RegistrationServices,
): Promise<Answer | undefined> {
  const [, , id, ...rest] = path.split('/');
  if (rest.length > 0) return undefined;
  if (id === undefined) return request.method === 'POST' ? await register(request, services) : undefined;
  if (!['GET', 'PUT', 'DELETE'].includes(request.method ?? '')) return undefined;
  const agent = await authenticate(request, decodeSegment(id), services);
  switch (request.method) {
    case 'GET':
      return { status: 200, body: metadataOf(agent, bearerOf(request), services) };
    case 'PUT':
      return await replaceKeys(request, agent, services);
    default:
      await services.agents.setStatus(agent.id, 'revoked', itself(agent.id));
      return { status: 204 };
  }
}

async function register(request: IncomingMessage, services: RegistrationServices): Promise<Answer> {
  const { issuer, store, agents, invitations, now } = services;
  const token = bearerOf(request);
  const invited = await invitations.find(token);
  if (invited === undefined) throw unauthorized();
  const body = await readJson(request);
  const keys = keysOf(body);
  checkKeyProofs(body, keys, { agent: invited.id, issuer, now: now() });
  const management = randomBytes(32).toString('base64url');
  const { id, statements } = insertAgent({ ...invited, keys: keys.map(({ jwk }) => ({ jwk })) }, now());
  const done = await store.batch([
    // First, so that of two requests with one token the second waits and then fails.
    invitations.take(token),
    ...statements,
    sql`INSERT INTO countersign_registration_tokens (agent_id, digest) VALUES (${id}, ${tokenDigestText(management)})`,
    directoryChange(),
    ...services.trail.record(agentEvent('registered', id, undefined, itself(id))),
  ]);
  const agent = await agents.get(id);
  if (done !== undefined && agent !== undefined) {
    return { status: 201, body: metadataOf(agent, management, services) };
  }
  if ((await invitations.find(token)) === undefined) throw unauthorized();
  throw agent === undefined ? keyTaken() : agentExists(id);
}

/** The agent whose registration access token the request has. Each is valid until the next change of keys. */
async function authenticate(
  request: IncomingMessage,
  id: string,
  services: RegistrationServices,
): Promise<RegisteredAgent> {
  const token = bearerOf(request);
  if (!isAgentId(id)) throw unauthorized();
  const [row] = await services.store.run(sql`
    SELECT digest FROM countersign_registration_tokens WHERE agent_id = ${id}`);
  const agent = await services.agents.get(id);
  const known =
    row !== undefined && timingSafeEqual(Buffer.from(textOf(row, 'digest'), 'base64url'), tokenDigest(token));
  // RFC 7592 §2.1: also 401 if the client is gone.
  if (!known || agent === undefined || agent.status === 'revoked') throw unauthorized();
  return agent;
}

/** PUT: the keys of the request replace those that count. Everything else stays as it is. */
async function replaceKeys(
  request: IncomingMessage,
  agent: RegisteredAgent,
  services: RegistrationServices,
): Promise<Answer> {
  const { issuer, store, agents, now } = services;
  const old = tokenDigestText(bearerOf(request));
  const body = await readJson(request);
  if (member(body, 'client_id') !== agent.id)
    throw new BadRequest(400, 'invalid_request', 'client_id must be the agent');
  // Whoever stopped it may do so because of its key.
  if (!mayAct({ ...agent, status: agent.status === 'pending' ? 'active' : agent.status }, now()))
    throw new BadRequest(403, 'access_denied', 'the agent is suspended, or its time is over');
  const wanted = keysOf(body);
  const current = currentKeys(agent, now());
  const isCurrent = (key: RegisteredKey): boolean => current.some(({ thumbprint }) => thumbprint === key.thumbprint);
  const added = wanted.filter((key) => !isCurrent(key));
  const dropped = current.filter(({ thumbprint }) => wanted.every((key) => key.thumbprint !== thumbprint));
  checkKeyProofs(body, added, { agent: agent.id, issuer, now: now() });
  const few = fewKeys(agent.id, added.length, now());
  const thumbprints = wanted.map(({ thumbprint }) => thumbprint).join(', ');
  const replaced = agentEvent('keys_replaced', agent.id, `keys ${thumbprints}`, itself(agent.id));
  const next = randomBytes(32).toString('base64url');
  const done = await store.batch([
    required(sql`
      SELECT id FROM countersign_agents WHERE id = ${agent.id} AND status IN ('active', 'pending')
      AND (expires_at IS NULL OR expires_at > ${now()}) FOR UPDATE`),
    required(sql`
      UPDATE countersign_registration_tokens SET digest = ${tokenDigestText(next)}
      WHERE agent_id = ${agent.id} AND digest = ${old} RETURNING agent_id`),
    ...dropped.map(
      ({ thumbprint }) => sql`UPDATE countersign_keys SET expires_at = ${now()} WHERE thumbprint = ${thumbprint}`,
    ),
    ...(added.length === 0 ? [] : [few]),
    ...added.flatMap((key) => insertAnotherKey(agent.id, key, { now: now(), until: undefined })),
    // The same keys again are no change: each version is a directory that all guards read anew.
    ...(added.length + dropped.length === 0 ? [] : [directoryChange(), ...services.trail.record(replaced)]),
  ]);
  if (done === undefined) {
    if ((await store.run(few)).length === 0)
      throw new AuthorityError('keys_full', `an agent registers at most ${mostKeysInAnHour} keys in an hour`);
    throw new AuthorityError('key_taken', 'a key is taken, or the registration was changed meanwhile');
  }
  const changed = (await agents.get(agent.id)) ?? agent;
  return { status: 200, body: metadataOf(changed, next, services) };
}

function itself(id: string): TrailEvent['event']['by'] {
  return { id, type: 'agent' };
}

/** The `jwks` of client metadata. Besides it only `key_proofs` is read: all other members are pinned. */
function keysOf(body: JsonObject): readonly RegisteredKey[] {
  const jwks = member(body, 'jwks');
  const keys = isJsonObject(jwks) ? member(jwks, 'keys') : undefined;
  if (!Array.isArray(keys) || keys.length === 0 || keys.length > 8) {
    throw new BadRequest(400, 'invalid_client_metadata', "'jwks' must have 1 to 8 keys");
  }
  try {
    return keys.map((jwk: unknown) => readKey({ jwk }));
  } catch (error) {
    if (!(error instanceof AuthorityError)) throw error;
    throw new BadRequest(400, 'invalid_client_metadata', error.message);
  }
}

function metadataOf(agent: RegisteredAgent, token: string, { issuer, now }: RegistrationServices): object {
  const client = clientOf({ ...agent, status: 'active' }, now()) ?? {};
  return {
    ...client,
    client_id: agent.id,
    client_id_issued_at: agent.createdAt,
    scope: agent.capabilities.join(' '),
    agent_status: agent.status,
    ...(agent.owner !== undefined && { agent_owner: agent.owner }),
    registration_access_token: token,
    registration_client_uri: `${issuer}/register/${encodeURIComponent(agent.id)}`,
  };
}
