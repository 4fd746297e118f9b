import { ConfigError } from '@countersign/common';
import { type AgentSet, createAgentSet } from './agent-set.js';
import type { AgentDirectory, AgentKey } from './directory.js';
import {
  type AgentRegistration,
  type KeyRegistration,
  isUnixSeconds,
  type RegisteredAgent,
  readKeyRegistration,
  readRegistration,
} from './registration.js';

/**
 * A directory that can be changed while it is in use. Every change is checked like the list at start and either takes
 * effect whole, from the next request on, or throws a ConfigError and changes nothing: naming an agent or a key that is
 * not there is an error too, so that a misspelt id never passes for a suspension.
 */
export interface AgentRegistry extends AgentDirectory {
  /** Adds an agent. Its id and its keys must be new. */
  register(agent: AgentRegistration): void;
  /**
   * Takes an agent out. Its name is free then, also for an issuer that vouches for a key or names it as a prior actor;
   * `suspend` keeps it taken and ends the chains that lead through it.
   */
  remove(id: string): void;
  /**
   * Refuses an agent with all of its keys (`agent_suspended`), and whatever was handed on through it
   * (`delegation_revoked`), until it is resumed.
   */
  suspend(id: string): void;
  resume(id: string): void;
  /** Gives an agent another key, which counts beside those it has. */
  addKey(id: string, key: KeyRegistration): void;
  /** Ends a key at a moment in unix seconds, or earlier if it ends earlier already: with `addKey`, a rotation. */
  expireKey(thumbprint: string, expires: number): void;
  /** Takes a key out at once. Its agent stays, even without a key. */
  removeKey(thumbprint: string): void;
}

/** @throws ConfigError when the agents do not go together. */
export function createAgentRegistry(start: readonly RegisteredAgent[]): AgentRegistry {
  let registered = new Map<string, RegisteredAgent>();
  let set = replaceAll(start);

  function replaceAll(agents: readonly RegisteredAgent[]): AgentSet {
    const read = createAgentSet(agents);
    if (!read.ok) throw new ConfigError(`agents: ${read.problem}.`);
    registered = new Map(agents.map((entry) => [entry.agent.id, entry]));
    return read.set;
  }

  /** Puts another entry, or none, in the place of the one with this id. */
  function change(id: string, edit: (entry: RegisteredAgent) => RegisteredAgent | undefined): void {
    const entry = registered.get(id);
    if (entry === undefined) throw new ConfigError(`agents: there is no agent '${id}'.`);
    const edited = edit(entry);
    const others = [...registered.values()].filter((other) => other !== entry);
    set = replaceAll(edited === undefined ? others : [...others, edited]);
  }

  function changeKey(thumbprint: string, edit: (key: AgentKey) => readonly AgentKey[]): void {
    const found = set.find(thumbprint);
    if (found.kind === 'unknown') throw new ConfigError(`agents: there is no key '${thumbprint}'.`);
    change(found.agent.id, ({ agent, keys }) => ({
      agent,
      keys: keys.flatMap((key) => (key.thumbprint === thumbprint ? edit(key) : [key])),
    }));
  }

  function setStatus(id: string, status: 'active' | 'suspended'): void {
    change(id, ({ agent, keys }) => ({ agent: Object.freeze({ ...agent, status }), keys }));
  }

  return {
    findByThumbprint: (thumbprint) => set.find(thumbprint),
    statusOf: (id) => set.statusOf(id),
    register(agent) {
      set = replaceAll([...registered.values(), readRegistration(agent, 'the agent')]);
    },
    remove: (id) => change(id, () => undefined),
    suspend: (id) => setStatus(id, 'suspended'),
    resume: (id) => setStatus(id, 'active'),
    addKey: (id, key) =>
      change(id, ({ agent, keys }) => ({ agent, keys: [...keys, readKeyRegistration(key, `agent '${id}'`)] })),
    expireKey(thumbprint, expires) {
      if (!isUnixSeconds(expires)) throw new ConfigError('agents: a key expires at a moment in whole unix seconds.');
      changeKey(thumbprint, (key) => [Object.freeze({ ...key, expires: Math.min(expires, key.expires ?? Infinity) })]);
    },
    removeKey: (thumbprint) => changeKey(thumbprint, () => []),
  };
}
