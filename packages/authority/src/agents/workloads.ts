import { AuthorityError } from '../authority-error.js';
import { sql, type Store } from '../storage/store.js';
import { noTrail, type Trail } from '../trail/trail.js';
import type { RegisteredAgent } from './agent.js';
import { agentEvent } from './agent-event.js';
import { columnsOf } from './agent-rows.js';
import { directoryChange } from './directory.js';
import type { ReadFacts } from './read-agent.js';
import type { AgentRegistry } from './registry.js';
import { suspendIfStopped } from './status-changes.js';
import { factsOfWorkload, type WorkloadFacts } from './workload-rules.js';
import { lockStops, notStopped, tagsNotStopped } from './workload-stops.js';

/** Workloads that prove themselves with SPIFFE, as agents. */
export interface Workloads {
  /**
   * The agent of a workload, with the facts of its rule. It is created when the workload comes first. Undefined: no rule
   * names it, or it is kept out by a pattern or a tag.
   *
   * @throws AuthorityError `agent_exists` if an agent with registered keys has the name.
   */
  agentOf(id: string): Promise<RegisteredAgent | undefined>;
  /** Whether the key belongs to a registered agent, also one that does not count any more. */
  isRegisteredKey(thumbprint: string): Promise<boolean>;
}

interface WorkloadStore {
  readonly store: Store;
  readonly agents: AgentRegistry;
  readonly rules: readonly WorkloadFacts[];
  readonly now: () => number;
  readonly trail?: Trail;
}

/** That a workload comes is written so often, at most. */
const seenSeconds = 3600;

export function createWorkloads({ store, agents, rules, now, trail = noTrail }: WorkloadStore): Workloads {
  async function create(id: string, facts: ReadFacts): Promise<RegisteredAgent | undefined> {
    const { owner, capabilities, roles, tags, name, redirect_uris, expires_at } = columnsOf(facts);
    await store.batch([
      ...notStopped(id, facts.tags),
      sql`
        INSERT INTO countersign_agents
          (id, owner, capabilities, roles, tags, status, name, redirect_uris, expires_at, created_at, workload, seen_at)
        VALUES (${id}, ${owner}, ${capabilities}, ${roles}, ${tags}, 'active', ${name}, ${redirect_uris}, ${expires_at},
          ${now()}, 1, ${now()})
        ON CONFLICT (id) DO NOTHING`,
    ]);
    return claimed(id, await agents.get(id));
  }

  /** False: it was deleted meanwhile, because it had not come for long. Suspends it if one of its new tags is stopped. */
  async function update(agent: RegisteredAgent, facts: ReadFacts): Promise<boolean> {
    const { id } = agent;
    const newTags = agent.status === 'revoked' ? [] : facts.tags.filter((tag) => !agent.tags.includes(tag));
    const { owner, capabilities, roles, tags, name, redirect_uris, expires_at } = columnsOf(facts);
    const change = sql`
      UPDATE countersign_agents SET owner = ${owner}, capabilities = ${capabilities}, roles = ${roles}, tags = ${tags},
        name = ${name}, redirect_uris = ${redirect_uris}, expires_at = ${expires_at}, seen_at = ${now()}
      WHERE id = ${id} AND workload = 1 RETURNING id`;
    const done = await store.batch([...tagsNotStopped(newTags), change]);
    if (done !== undefined) return (done.at(-1) ?? []).length > 0;
    await store.batch([
      lockStops(),
      ...newTags.map((tag) => suspendIfStopped(id, tag)),
      // With the tags, or each later token would record the suspension again.
      change,
      directoryChange(),
      ...trail.record(agentEvent('suspended', id, 'its rule got a tag that is stopped')),
    ]);
    return true;
  }

  return {
    async agentOf(id) {
      const facts = factsOfWorkload(rules, id);
      if (facts === undefined) return undefined;
      const agent = claimed(id, await agents.get(id));
      if (agent === undefined) return await create(id, facts);
      // Most tokens change nothing, and then nothing is written.
      if (hasFacts(agent, facts) && now() - (agent.seenAt ?? 0) < seenSeconds) return agent;
      return (await update(agent, facts)) ? claimed(id, await agents.get(id)) : await create(id, facts);
    },

    async isRegisteredKey(thumbprint) {
      const rows = await store.run(sql`SELECT agent_id FROM countersign_keys WHERE thumbprint = ${thumbprint}`);
      return rows.length > 0;
    },
  };
}

/** @throws AuthorityError `agent_exists`. */
function claimed(id: string, agent: RegisteredAgent | undefined): RegisteredAgent | undefined {
  if (agent === undefined || agent.workload === true) return agent;
  throw new AuthorityError('agent_exists', `'${id}' is registered with keys, so no workload can claim it`);
}

function hasFacts(agent: RegisteredAgent, facts: ReadFacts): boolean {
  return JSON.stringify(columnsOf(agent)) === JSON.stringify(columnsOf(facts));
}
