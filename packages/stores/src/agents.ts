import { ConfigError, parseStrictJson } from '@countersign/common';
import {
  type AgentDirectory,
  type AgentQuestion,
  type AgentRegistration,
  agentsFromDatabase,
  type AgentsFromDatabaseOptions,
  readRegistration,
} from '@countersign/core';

/**
 * Agents that all processes share. A change counts with the next request, or once `cacheSeconds` are over. A promise that
 * rejects leaves open whether it was made, but it undoes no later change: make it again.
 */
export interface SharedAgents extends AgentDirectory {
  /**
   * Registers an agent, or puts this entry in the place of the one with its id. Rejects if another agent has one of its
   * keys.
   *
   * @throws ConfigError when the entry is wrong.
   */
  put(agent: AgentRegistration): Promise<void>;
  /** Takes an agent out with all of its keys. A suspended entry ends its chains; a missing one frees the name. */
  remove(id: string): Promise<void>;
}

/**
 * Where they are kept. Each method rejects if the list was never begun, or has lost agents: an issuer may vouch for an agent
 * that is unknown here. Changes are made by `changeInTime`.
 */
export interface AgentTable {
  /** The entry as JSON; undefined if there is none. */
  readonly find: (question: AgentQuestion) => Promise<string | undefined>;
  /**
   * One atomic step, which sees all changes before it: the agent then has exactly these keys. Rejects with `keyTaken` if
   * another agent has one of them.
   */
  readonly put: (id: string, entry: string, thumbprints: readonly string[]) => Promise<void>;
  readonly remove: (id: string) => Promise<void>;
}

/** Why a change rejects that would give a key to a second agent. */
export const keyTaken = 'another agent has one of its keys';

/** What is wrong with a list of agents that has no beginning. */
export function lostAgents(store: string, begin: string): string {
  return (
    `${store} holds no list of agents, not even an empty one: it lost them, or it is not that of the application. ` +
    `Restore it; or, as for a new one, call ${begin} once, and register all agents, also the suspended ones.`
  );
}

export function sharedAgents(table: AgentTable, options: AgentsFromDatabaseOptions): SharedAgents {
  const directory = agentsFromDatabase(async (question) => {
    const entry = await table.find(question);
    if (entry === undefined) return undefined;
    const read = parseStrictJson(entry);
    if (!read.ok) throw new TypeError('an entry is no JSON');
    return read.value as AgentRegistration;
  }, options);
  // The same object: core knows it as one that bounds what it asks.
  return Object.assign(directory, {
    async put(agent: AgentRegistration) {
      const { agent: read, keys } = readRegistration(agent, 'put: the agent');
      const thumbprints = keys.map(({ thumbprint }) => thumbprint);
      if (new Set(thumbprints).size < thumbprints.length) {
        throw new ConfigError(`put: agent '${read.id}' has the same key twice.`);
      }
      await table.put(read.id, JSON.stringify(agent), thumbprints);
    },
    remove: (id: string) => table.remove(id),
  });
}
