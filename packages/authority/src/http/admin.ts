import type { IncomingMessage } from 'node:http';
import { type JsonObject, member } from '@countersign/common';
import { isIdentifier } from '@countersign/delegation';
import type { AgentStatus, NewAgent, NewKey } from '../agents/agent.js';
import type { AgentRegistry } from '../agents/registry.js';
import type { NewStatus } from '../agents/status-changes.js';
import type { Ledger, Revoked } from '../delegation/ledger.js';
import type { SigningKeys } from '../keys/signing-keys.js';
import { type AdminApprovalServices, adminApprovals } from './admin-approvals.js';
import { bearerOf, isAmong, unauthorized } from './bearer.js';
import { type Answer, BadRequest, decodeSegment, readJson } from './answer.js';
import type { Invitations } from '../agents/invitations.js';

export interface AdminServices {
  readonly adminTokens: readonly string[];
  readonly agents: AgentRegistry;
  readonly invitations: Invitations;
  readonly ledger: Ledger;
  readonly keys: SigningKeys;
  /** Undefined: there are no approvals. */
  readonly adminApprovals: AdminApprovalServices | undefined;
}

/** The API of administrators, below `/admin`. Without admin tokens it does not exist. Undefined: no such route. */
export async function admin(
  request: IncomingMessage,
  path: string,
  query: URLSearchParams,
  services: AdminServices,
): Promise<Answer | undefined> {
  if (services.adminTokens.length === 0) return undefined;
  if (!isAmong(bearerOf(request), services.adminTokens)) throw unauthorized();
  const [resource, ...rest] = path.split('/').slice(2).map(decodeSegment);
  switch (`${request.method ?? ''} ${resource ?? ''}`) {
    case 'POST revocations':
      return rest.length > 0 ? undefined : await revoke(await readJson(request), services.ledger);
    case 'POST signing-keys':
      if (rest.length > 0) return undefined;
      await services.keys.rotate();
      return { status: 204 };
    default:
      if (resource === 'approvals' && services.adminApprovals !== undefined) {
        return await adminApprovals(request, rest, query, services.adminApprovals);
      }
      if (resource === 'invitations') return await invitations(request, rest, services.invitations);
      return resource === 'agents' ? await agents(request, rest, query, services.agents) : undefined;
  }
}

async function invitations(
  request: IncomingMessage,
  [id, ...rest]: readonly string[],
  services: Invitations,
): Promise<Answer | undefined> {
  if (rest.length > 0) return undefined;
  switch (`${request.method ?? ''}${id === undefined ? '' : ' :id'}`) {
    case 'POST':
      return { status: 201, body: await services.create(await readJson(request)) };
    case 'GET':
      return { status: 200, body: { invitations: await services.list() } };
    case 'DELETE :id': {
      const removed = await services.remove(String(id));
      if (removed === 0) throw new BadRequest(404, 'agent_unknown', 'no invitation of this agent is open');
      return { status: 200, body: { removed } };
    }
    default:
      return undefined;
  }
}

async function agents(
  request: IncomingMessage,
  [id, part, name, ...rest]: readonly string[],
  query: URLSearchParams,
  registry: AgentRegistry,
): Promise<Answer | undefined> {
  const method = request.method ?? '';
  const route = [method, id === undefined ? '' : ':id', part ?? '', name === undefined ? '' : ':name', ...rest]
    .filter((step) => step !== '')
    .join(' ');
  switch (route) {
    case 'POST':
      return { status: 201, body: await registry.add((await readJson(request)) as unknown as NewAgent) };
    case 'GET': {
      const [tag, status] = [query.get('tag'), query.get('status')];
      const filter = { ...(tag !== null && { tag }), ...(status !== null && { status: status as AgentStatus }) };
      return { status: 200, body: { agents: await registry.list(filter), stops: await registry.listStops() } };
    }
    case 'PATCH': {
      const change = await readJson(request);
      const status = member(change, 'status') as NewStatus;
      const [tag, pattern] = [member(change, 'tag'), member(change, 'pattern')];
      const names = [tag, pattern].filter((name) => name !== undefined);
      const [name] = names;
      if (names.length !== 1 || typeof name !== 'string') {
        throw new BadRequest(400, 'invalid_request', "name one of 'tag' and 'pattern'");
      }
      const changed = await (pattern === undefined
        ? registry.setStatusByTag(name, status)
        : registry.setStatusByPattern(name, status));
      return { status: 200, body: { changed } };
    }
    case 'GET :id': {
      const agent = await registry.get(String(id));
      if (agent === undefined) throw new BadRequest(404, 'agent_unknown', 'there is no such agent');
      return { status: 200, body: agent };
    }
    case 'PATCH :id':
      return { status: 200, body: await change(String(id), await readJson(request), registry) };
    case 'POST :id keys': {
      const { overlapSeconds, ...key } = (await readJson(request)) as NewKey & { overlapSeconds?: number };
      const options = overlapSeconds === undefined ? {} : { overlapSeconds };
      return { status: 201, body: await registry.addKey(String(id), key, options) };
    }
    case 'DELETE :id keys :name':
      return { status: 200, body: await registry.revokeKey(String(id), String(name)) };
    default:
      return undefined;
  }
}

/** A change of the status, or of facts: two changes in one request would be two transactions. */
async function change(id: string, body: JsonObject, registry: AgentRegistry): Promise<object> {
  const { status, ...facts } = body;
  if (status === undefined) return await registry.update(id, facts);
  if (Object.keys(facts).length > 0) throw new BadRequest(400, 'invalid_request', "change 'status' by itself");
  return await registry.setStatus(id, status as NewStatus);
}

async function revoke(body: JsonObject, ledger: Ledger): Promise<Answer> {
  const [[kind, name] = [], ...others] = Object.entries(body);
  if (others.length > 0 || !isIdentifier(name) || !['delegation', 'subject', 'actor'].includes(String(kind))) {
    throw new BadRequest(400, 'invalid_request', "name exactly one of 'delegation', 'subject' and 'actor'");
  }
  return { status: 200, body: { revoked: await ledger.revoke({ [String(kind)]: name } as unknown as Revoked) } };
}
