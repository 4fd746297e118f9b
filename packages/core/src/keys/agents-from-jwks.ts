import { isIdentifier } from '@countersign/delegation';
import { isJsonObject, member, type Reading } from '@countersign/common';
import { createAgentSet } from './agent-set.js';
import type { Agent, AgentDirectory, AgentKey } from './directory.js';
import { keysOfJwkSet } from '../model/jwk.js';
import { loadJson } from '../remote/cached-remote.js';
import { fetchJson, readRemoteUrl } from '../remote/remote-json.js';
import { type RegisteredAgent, readAgent, readAgentKey } from './registration.js';
import {
  cachedAgents,
  readRemoteDirectoryOptions,
  remoteDirectory,
  type RemoteAgents,
  type RemoteDirectoryOptions,
  type SkippedKey,
} from './remote-directory.js';

/**
 * A directory read from a JWK Set (RFC 7517 §5), whose keys carry the extra members `agent_id` and optionally
 * `capabilities`, `roles`, `owner`, `status`, and `nbf` / `exp` (or `notBefore` / `expires`, all unix seconds).
 * Fetched when first needed, over https from a public address, without redirects. A key that cannot be used is left
 * out; the same key twice is left out twice. An unknown key makes for at most one fetch in 30 seconds.
 *
 * @throws ConfigError when the URL or an option is wrong.
 *
 * @example
 * const agents = agentsFromJwks('https://agents.acme.dev/jwks.json', { maxAgeSeconds: 60 });
 */
export function agentsFromJwks(url: string, options: RemoteDirectoryOptions = {}): AgentDirectory {
  const settings = readRemoteDirectoryOptions('agentsFromJwks', options);
  const address = readRemoteUrl('agentsFromJwks', url, options);
  const load = loadJson(() => fetchJson(address, options), readAgentJwkSet);
  return remoteDirectory(cachedAgents(settings, load), settings);
}

interface Candidate {
  readonly index: number;
  readonly agent: Agent;
  readonly key: AgentKey;
}

/**
 * Reads a JWK Set as agents. A key that cannot be used is left out and does not harm the others; whatever is
 * ambiguous (a key twice, keys that disagree about their agent) is left out whole.
 */
function readAgentJwkSet(json: unknown): Reading<RemoteAgents> {
  const keys = keysOfJwkSet(json);
  if (!keys.ok) return keys;
  const skipped: SkippedKey[] = [];
  const candidates: Candidate[] = [];
  const names = new Set<string>();
  for (const [index, jwk] of keys.value.entries()) {
    const id = isJsonObject(jwk) ? member(jwk, 'agent_id') : undefined;
    if (isIdentifier(id)) names.add(id);
    const read = readCandidate(jwk, index);
    if (read.ok) candidates.push(read.value);
    else skipped.push({ index, ...(isIdentifier(id) && { agentId: id }), problem: read.problem });
  }
  const ambiguity = findAmbiguities(candidates);
  const usable = candidates.filter((candidate) => {
    const problem = ambiguity(candidate);
    if (problem !== undefined) skipped.push({ index: candidate.index, agentId: candidate.agent.id, problem });
    return problem === undefined;
  });
  // Names whose keys were left out stay taken: an error here must not let an issuer vouch for a key under them.
  const set = createAgentSet(byAgent(usable), names);
  if (!set.ok) return set;
  return { ok: true, value: { at: () => set.set, keyCount: usable.length, skipped } };
}

function readCandidate(jwk: unknown, index: number): Reading<Candidate> {
  if (!isJsonObject(jwk)) return { ok: false, problem: 'it is not an object' };
  const agent = readAgent(member(jwk, 'agent_id'), jwk);
  if (!agent.ok) return agent;
  const validity = { notBefore: member(jwk, 'notBefore'), expires: member(jwk, 'expires') };
  const key = readAgentKey({ jwk, ...validity });
  if (!key.ok) return key;
  return { ok: true, value: { index, agent: agent.value, key: key.value } };
}

/** Tells of each candidate what makes it ambiguous among the others. */
function findAmbiguities(candidates: readonly Candidate[]): (candidate: Candidate) => string | undefined {
  const uses = new Map<string, number>();
  const accounts = new Map<string, Set<string>>();
  for (const { agent, key } of candidates) {
    uses.set(key.thumbprint, (uses.get(key.thumbprint) ?? 0) + 1);
    accounts.set(agent.id, (accounts.get(agent.id) ?? new Set()).add(JSON.stringify(agent)));
  }
  return ({ agent, key }) => {
    if (uses.get(key.thumbprint) !== 1) return 'the set has this key twice';
    if (accounts.get(agent.id)?.size !== 1) return 'the keys of this agent disagree about it';
    return undefined;
  };
}

function byAgent(candidates: readonly Candidate[]): readonly RegisteredAgent[] {
  const agents = new Map<string, { readonly agent: Agent; readonly keys: AgentKey[] }>();
  for (const { agent, key } of candidates) {
    const known = agents.get(agent.id);
    if (known === undefined) agents.set(agent.id, { agent, keys: [key] });
    else known.keys.push(key);
  }
  return [...agents.values()];
}
