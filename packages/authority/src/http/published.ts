import { createHash } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import { type AgentJwkSet, agentJwkSet, signatureDirectory } from '../agents/directory.js';
import type { RegisteredAgent } from '../agents/agent.js';
import type { AgentRegistry } from '../agents/registry.js';
import { type StatusListOptions, statusListToken } from '../delegation/status-list.js';
import type { Answer } from './answer.js';

/** What anybody can read: agents with their keys, and which tokens are revoked. */
export interface Published {
  /** A JWK Set for `agentsFromJwks`. */
  agents(request: IncomingMessage): Promise<Answer>;
  /** An HTTP Message Signatures Directory. */
  signatureKeys(request: IncomingMessage): Promise<Answer>;
  statusList(list: number): Promise<Answer>;
}

const directorySeconds = 30;
const statusListSeconds = 15;

export function createPublished(options: StatusListOptions & { readonly agents: AgentRegistry }): Published {
  const { agents, now } = options;
  const documentOf = async (publish: (agents: readonly RegisteredAgent[], now: number) => AgentJwkSet) =>
    documentWithTag(JSON.stringify(publish(await agents.list(), now())));
  const readAgents = shared(() => documentOf(agentJwkSet));
  const readKeys = shared(() => documentOf(signatureDirectory));
  const readList = shared((list: number) => statusListToken(list, options));

  return {
    agents: async (request) => answer(await readAgents(0), request, 'application/jwk-set+json'),
    signatureKeys: async (request) =>
      answer(await readKeys(0), request, 'application/http-message-signatures-directory+json'),
    statusList: async (list) => ({
      status: 200,
      headers: {
        'content-type': 'application/statuslist+jwt',
        'cache-control': `public, max-age=${statusListSeconds}`,
      },
      body: await readList(list),
    }),
  };
}

interface Document {
  readonly text: string;
  readonly tag: string;
}

function documentWithTag(text: string): Document {
  return { text, tag: `"${createHash('sha256').update(text).digest('base64url')}"` };
}

function answer({ text, tag }: Document, request: IncomingMessage, type: string): Answer {
  const headers = { etag: tag, 'cache-control': `public, max-age=${directorySeconds}` };
  if (request.headers['if-none-match'] === tag) return { status: 304, headers };
  return { status: 200, headers: { ...headers, 'content-type': type }, body: text };
}

/** Of all that ask for the same at one time, one does the work: a flood costs no more than one after the other. */
function shared<Result>(work: (of: number) => Promise<Result>): (of: number) => Promise<Result> {
  const flights = new Map<number, Promise<Result>>();
  return (of) => {
    const known = flights.get(of);
    if (known !== undefined) return known;
    const flight = work(of).finally(() => flights.delete(of));
    flights.set(of, flight);
    return flight;
  };
}
