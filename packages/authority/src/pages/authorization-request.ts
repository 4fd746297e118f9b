import { isAnyRepeated } from '../http/form.js';
import {
  type AuthorizationDetail,
  readAuthorizationDetails,
  type Scope,
  unknownMembers,
} from '@countersign/delegation';
import { mayAct, type RegisteredAgent } from '../agents/agent.js';
import type { AgentRegistry } from '../agents/registry.js';
import type { Resource } from '../options/read-options.js';
import { grantScope, readResource } from '../tokens/narrow.js';
import { oauthError } from '../tokens/oauth-error.js';
import { PageProblem } from './html.js';

/** Where the answer goes, once it is sure that this address is the agent's. */
export interface Requester {
  readonly agent: RegisteredAgent;
  readonly redirectUri: string;
  readonly state?: string;
}

/** What an agent asks a user for. */
export interface Wishes {
  readonly resource: Resource;
  readonly scope: Scope;
  readonly details?: readonly AuthorizationDetail[];
  /** Of PKCE. */
  readonly challenge: string;
  /** For how long. */
  readonly seconds: number;
  /** How many tokens at most. Absent: not limited. */
  readonly uses?: number;
}

/**
 * The agent that sent the user here. As long as it is not sure whose the address is, nothing is sent there: the user gets
 * a message (RFC 6749 §4.1.2.1, RFC 9700 §4.11).
 *
 * @throws PageProblem
 */
export async function readRequester(
  parameters: URLSearchParams,
  { agents, now }: { readonly agents: AgentRegistry; readonly now: () => number },
): Promise<Requester> {
  const [id, redirectUri] = [one(parameters, 'client_id'), one(parameters, 'redirect_uri')];
  const agent = id === undefined ? undefined : await agents.get(id);
  if (agent === undefined || !mayAct(agent, now())) {
    throw new PageProblem(400, 'This agent is not known', 'It is not registered here, or may not act now.');
  }
  // Character for character (RFC 9700 §2.1).
  if (redirectUri === undefined || !agent.redirectUris.includes(redirectUri)) {
    throw new PageProblem(
      400,
      'This request is not valid',
      'The address to which it would send you back is not one that the agent has registered.',
    );
  }
  const state = one(parameters, 'state');
  return { agent, redirectUri, ...(state !== undefined && { state }) };
}

const defaultSeconds = 900;
const mostUses = 1000;

/** @throws an OAuth error, for the agent. */
export function readWishes(
  parameters: URLSearchParams,
  agent: RegisteredAgent,
  limits: {
    readonly resources: readonly [Resource, ...Resource[]];
    readonly longestConsentSeconds: number;
  },
): Wishes {
  // Two values for one name could be one for us and another for the agent.
  if (isAnyRepeated(parameters)) throw invalid('a parameter is repeated');
  if (parameters.has('request')) throw oauthError('request_not_supported', 'request objects are not supported');
  if (parameters.has('request_uri')) throw oauthError('request_uri_not_supported', 'request_uri is not supported');
  if (one(parameters, 'response_type') !== 'code') {
    throw oauthError('unsupported_response_type', "response_type must be 'code'");
  }
  if ((one(parameters, 'response_mode') ?? 'query') !== 'query') throw invalid("response_mode must be 'query'");
  const challenge = one(parameters, 'code_challenge');
  if (one(parameters, 'code_challenge_method') !== 'S256' || !/^[A-Za-z0-9_-]{43}$/.test(challenge ?? '')) {
    throw invalid('PKCE with S256 is required: code_challenge and code_challenge_method');
  }
  const resource = readResource(one(parameters, 'resource'), limits.resources);
  const scope = grantScope(resource, one(parameters, 'scope'), agent.capabilities);
  const details = readDetails(one(parameters, 'authorization_details'));
  const asked = count(parameters, 'requested_expiry', Number.MAX_SAFE_INTEGER) ?? defaultSeconds;
  const uses = count(parameters, 'max_uses', mostUses);
  return {
    resource,
    scope,
    challenge: String(challenge),
    seconds: Math.min(asked, limits.longestConsentSeconds),
    ...(details !== undefined && { details }),
    ...(uses !== undefined && { uses }),
  };
}

/** The value of a parameter. Absent and empty are the same (RFC 6749 §3.1). */
function one(parameters: URLSearchParams, name: string): string | undefined {
  const [value, ...others] = parameters.getAll(name);
  return others.length > 0 || value === '' ? undefined : value;
}

function readDetails(text: string | undefined): readonly AuthorizationDetail[] | undefined {
  if (text === undefined) return undefined;
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    json = undefined;
  }
  const read = readAuthorizationDetails(json);
  if (!read.ok) throw oauthError('invalid_authorization_details', read.detail);
  // The page could not say what it means, and no API would accept it.
  if (read.details.some((detail) => unknownMembers(detail).length > 0)) {
    throw oauthError('invalid_authorization_details', 'a detail has a member that is not known');
  }
  return read.details;
}

function count(parameters: URLSearchParams, name: string, most: number): number | undefined {
  const text = one(parameters, name);
  if (text === undefined) return undefined;
  const value = /^[1-9]\d{0,15}$/.test(text) ? Number(text) : undefined;
  if (value === undefined || value > most) throw invalid(`${name} must be a whole number from 1 to ${most}`);
  return value;
}

function invalid(detail: string): Error {
  return oauthError('invalid_request', detail);
}
