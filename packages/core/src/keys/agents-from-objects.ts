import { ConfigError, isJsonObject } from '@countersign/common';
import { type AgentRegistry, createAgentRegistry } from './agent-registry.js';
import { type AgentSet, createAgentSet } from './agent-set.js';
import { type AgentRegistration, type RegisteredAgent, readRegistration } from './registration.js';

/**
 * A directory of the agents listed, which can be changed while it is in use. A change counts from the next request on.
 * It is held in this process only: after a restart the list counts again.
 *
 * @throws ConfigError for an unknown member, a missing, weak, private, published or shared key, an id used twice, and
 * whatever cannot be read. The message names the agent.
 *
 * @example
 * const agents = agentsFromObjects([
 *   { id: 'agent-code-reviewer-01', publicKey: 'CUDL…0ok=', capabilities: ['repo:read', 'pr:write:draft'] },
 * ]);
 * agents.suspend('agent-code-reviewer-01');
 */
export function agentsFromObjects(list: readonly AgentRegistration[]): AgentRegistry {
  return createAgentRegistry(readList(list));
}

/** @throws ConfigError */
export function readAgents(list: unknown): AgentSet {
  const read = createAgentSet(readList(list));
  if (!read.ok) throw new ConfigError(`agents: ${read.problem}.`);
  return read.set;
}

function readList(list: unknown): readonly RegisteredAgent[] {
  if (isJsonObject(list)) throw new ConfigError('agents: expected a list: put [ ] around the one agent.');
  if (!Array.isArray(list)) throw new ConfigError('agents: expected a list of agents.');
  return list.map((item: unknown, index) => readRegistration(item, `agent number ${index + 1}`));
}
