import { AuthorityError } from '../authority-error.js';
import { sql, type Store } from '../storage/store.js';
import type { RegisteredAgent } from './agent.js';
import { columnsOf } from './agent-rows.js';
import type { ReadFacts } from './read-agent.js';
import type { AgentRegistry } from './registry.js';

/** Workloads that prove themselves with SPIFFE, as agents. */
export interface Workloads {
  /**
   * The agent of a workload, with the facts of its rule. It is created when the workload comes first.
   *
   * @throws AuthorityError `agent_exists` if an agent with registered keys has the name.
   */
  agentOf(id: string, facts: ReadFacts): Promise<RegisteredAgent>;
  /** Whether the key belongs to a registered agent, also one that does not count any more. */
  isRegisteredKey(thumbprint: string): Promise<boolean>;
}

export function createWorkloads(store: Store, agents: AgentRegistry, now: () => number): Workloads {
  return {
    async agentOf(id, facts) {
      const known = await agents.get(id);
      if (known !== undefined && hasFacts(known, facts)) return known;
      const { owner, capabilities, roles, tags, name, redirect_uris, expires_at } = columnsOf(facts);
      await store.run(sql`
        INSERT INTO countersign_agents
          (id, owner, capabilities, roles, tags, status, name, redirect_uris, expires_at, created_at, workload)
        VALUES (${id}, ${owner}, ${capabilities}, ${roles}, ${tags}, 'active', ${name}, ${redirect_uris}, ${expires_at},
          ${now()}, 1)
        ON CONFLICT (id) DO UPDATE SET owner = excluded.owner, capabilities = excluded.capabilities,
          roles = excluded.roles, tags = excluded.tags, name = excluded.name, redirect_uris = excluded.redirect_uris,
          expires_at = excluded.expires_at
        WHERE countersign_agents.workload = 1`);
      const agent = await agents.get(id);
      if (agent?.workload === true) return agent;
      throw new AuthorityError('agent_exists', `'${id}' is registered with keys, so no workload can claim it`);
    },

    async isRegisteredKey(thumbprint) {
      const rows = await store.run(sql`SELECT agent_id FROM countersign_keys WHERE thumbprint = ${thumbprint}`);
      return rows.length > 0;
    },
  };
}

/** Most tokens change nothing, and then nothing is written. */
function hasFacts(agent: RegisteredAgent, facts: ReadFacts): boolean {
  return agent.workload === true && JSON.stringify(columnsOf(agent)) === JSON.stringify(columnsOf(facts));
}
