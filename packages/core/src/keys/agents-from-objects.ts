import { ConfigError } from '../config-error.js';
import { type AgentSet, createAgentSet } from './agent-set.js';
import type { AgentDirectory } from './directory.js';
import { type AgentRegistration, readRegistration } from './registration.js';

/**
 * A directory of the agents listed, for programs that know them at start.
 *
 * @throws ConfigError for an unknown member, a missing, weak, private, published or shared key, an id used twice, and
 * whatever cannot be read. The message names the agent.
 *
 * @example
 * const agents = agentsFromObjects([
 *   { id: 'agent-code-reviewer-01', publicKey: 'CUDL…0ok=', capabilities: ['repo:read', 'pr:write:draft'] },
 * ]);
 */
export function agentsFromObjects(list: readonly AgentRegistration[]): AgentDirectory {
  const set = readAgents(list);
  return { findByThumbprint: (thumbprint) => set.find(thumbprint), hasAgent: (id) => set.has(id) };
}

/** @throws ConfigError */
export function readAgents(list: unknown): AgentSet {
  if (!Array.isArray(list)) throw new ConfigError('agents: expected a list of agents.');
  const read = createAgentSet(list.map((item: unknown, index) => readRegistration(item, `agent number ${index + 1}`)));
  if (!read.ok) throw new ConfigError(`agents: ${read.problem}.`);
  return read.set;
}
