import type { Agent, AgentKey, AgentStatus, KeyLookup } from './directory.js';
import type { RegisteredAgent } from './registration.js';

/** Agents and their keys at one moment; replaced as a whole, never changed. */
export interface AgentSet {
  find(thumbprint: string): Extract<KeyLookup, { kind: 'found' | 'unknown' }>;
  statusOf(id: string): Exclude<AgentStatus, 'unavailable'>;
}

/** A problem with the agents taken together. */
export type AgentSetReading =
  | { readonly ok: true; readonly set: AgentSet }
  | { readonly ok: false; readonly problem: string };

/**
 * Puts agents together. `reserved` are names that count as registered although no key of theirs can be used, so that
 * nobody else can vouch for a key under them; where nothing else is known of them they count as suspended.
 */
export function createAgentSet(
  registered: readonly RegisteredAgent[],
  reserved: Iterable<string> = [],
): AgentSetReading {
  const statuses = new Map<string, Agent['status']>();
  const holders = new Map<string, { readonly kind: 'found'; readonly agent: Agent; readonly key: AgentKey }>();
  for (const { agent, keys } of registered) {
    if (statuses.has(agent.id)) return { ok: false, problem: `agent '${agent.id}' is registered twice` };
    statuses.set(agent.id, agent.status);
    for (const key of keys) {
      const other = holders.get(key.thumbprint);
      // A key belongs to exactly one agent, else a signature would not say who signed.
      if (other !== undefined) return { ok: false, problem: sharedKey(other.agent.id, agent.id) };
      holders.set(key.thumbprint, Object.freeze({ kind: 'found', agent, key }));
    }
  }
  for (const id of reserved) statuses.set(id, statuses.get(id) ?? 'suspended');
  return {
    ok: true,
    set: {
      find: (thumbprint) => holders.get(thumbprint) ?? { kind: 'unknown' },
      statusOf: (id) => statuses.get(id) ?? 'unknown',
    },
  };
}

function sharedKey(one: string, other: string): string {
  if (one === other) return `agent '${one}' has the same key twice`;
  return `agents '${one}' and '${other}' have the same key; each agent needs its own`;
}
