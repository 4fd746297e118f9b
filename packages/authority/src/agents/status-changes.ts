import { AuthorityError } from '../authority-error.js';
import { required, type Row, sql, type Store, textOf } from '../storage/store.js';
import type { Trail, TrailEvent } from '../trail/trail.js';
import type { AgentStatus, RegisteredAgent } from './agent.js';
import { agentEvent, statusEvents } from './agent-event.js';
import { columnsOf } from './agent-rows.js';
import { directoryChange } from './directory.js';
import { isTag } from './read-agent.js';
import { factsOfWorkload, isPattern, meetsRule, ruleHasTag, type WorkloadFacts } from './workload-rules.js';
import { changeStop, stopOfTag } from './workload-stops.js';

/** Statuses that an administrator can give to an agent. */
export type NewStatus = Exclude<AgentStatus, 'pending'>;

/** Changes of the status of agents. Every refusal is an `AuthorityError`. */
export interface StatusChanges {
  /**
   * Of a workload of SPIFFE, also before it first comes. `by`: who does it, for the audit log. Default: an administrator.
   */
  setStatus(id: string, status: NewStatus, by?: TrailEvent['event']['by']): Promise<RegisteredAgent>;
  /**
   * The same for all agents with a tag; the ids of those that were not revoked before. Workloads of SPIFFE have the tags
   * of their rule now. Those that come later are kept out until the tag is active again.
   */
  setStatusByTag(tag: string, status: NewStatus): Promise<readonly string[]>;
  /** The same for the workloads of SPIFFE below a pattern, like `spiffe://example.org/ci/*`. */
  setStatusByPattern(pattern: string, status: NewStatus): Promise<readonly string[]>;
}

interface StatusServices {
  readonly store: Store;
  readonly trail: Trail;
  readonly rules: readonly WorkloadFacts[];
  readonly now: () => number;
  /** The agent. @throws AuthorityError `agent_unknown`. */
  readonly known: (id: string) => Promise<RegisteredAgent>;
}

const statuses: readonly string[] = ['active', 'suspended', 'revoked'] satisfies readonly NewStatus[];

export function createStatusChanges({ store, trail, rules, now, known }: StatusServices): StatusChanges {
  async function changeMany(
    change: (status: NewStatus) => ReturnType<typeof sql>,
    { stop, what, status }: { readonly stop: string | undefined; readonly what: string; readonly status: NewStatus },
  ): Promise<readonly string[]> {
    const stopping = stop === undefined ? [] : changeStop(stop, status !== 'active', now());
    const { actor: _actor, ...event } = agentEvent(statusEvents[status], what, `all with the ${what}`);
    const statement = stop === undefined ? required(change(status)) : change(status);
    const done = await store.batch([...stopping, statement, directoryChange(), ...trail.record(event)]);
    const rows = done?.[stopping.length] ?? [];
    return rows.map((row: Row) => textOf(row, 'id')).toSorted();
  }

  return {
    async setStatus(id, status, by) {
      checkStatus(status);
      const happened = [directoryChange(), ...trail.record(agentEvent(statusEvents[status], id, undefined, by))];
      const change = sql`
        UPDATE countersign_agents SET status = ${status} WHERE id = ${id} AND status <> 'revoked' RETURNING id`;
      const facts = factsOfWorkload(rules, id);
      const columns = facts && columnsOf(facts);
      // Also if it comes at the same moment. With the tags of its rule now: a stop of one that it gets suspends it.
      const insert =
        columns &&
        sql`
        INSERT INTO countersign_agents
          (id, owner, capabilities, roles, tags, status, name, redirect_uris, expires_at, created_at, workload, seen_at)
        VALUES (${id}, ${columns.owner}, ${columns.capabilities}, ${columns.roles}, ${columns.tags}, ${status},
          ${columns.name}, ${columns.redirect_uris}, ${columns.expires_at}, ${now()}, 1, ${now()})
        ON CONFLICT (id) DO UPDATE SET status = excluded.status,
          tags = CASE WHEN countersign_agents.workload = 1 THEN excluded.tags ELSE countersign_agents.tags END
        WHERE countersign_agents.status <> 'revoked' RETURNING id`;
      const done = await store.batch([required(insert ?? change), ...happened]);
      const agent = await known(id);
      if (done === undefined && status !== 'revoked') {
        throw new AuthorityError('status_conflict', `agent '${id}' is revoked, which is final`);
      }
      return agent;
    },

    async setStatusByTag(tag, status) {
      checkStatus(status);
      if (!isTag(tag)) throw new AuthorityError('agent_invalid', 'that is no tag');
      const isOfRule = rules.some(({ facts }) => facts.tags.includes(tag));
      const byRule = ruleHasTag(rules, tag, 3);
      return await changeMany(
        (to) => ({
          text: `
            UPDATE countersign_agents SET status = $1 WHERE status <> 'revoked'
            AND (tags LIKE $2 OR (workload = 1 AND ${byRule.text})) RETURNING id`,
          values: [to, `% ${tag} %`, ...byRule.values],
        }),
        { stop: isOfRule || status === 'active' ? stopOfTag(tag) : undefined, what: `tag ${tag}`, status },
      );
    },

    async setStatusByPattern(pattern, status) {
      checkStatus(status);
      if (typeof pattern !== 'string' || !isPattern(pattern)) {
        throw new AuthorityError('agent_invalid', "a pattern is the beginning of SPIFFE IDs and '/*'");
      }
      // A misspelt one would stop nothing, and seem to.
      if (status !== 'active' && !meetsRule(rules, pattern)) {
        throw new AuthorityError('agent_unknown', `no rule names a workload below '${pattern}'`);
      }
      const prefix = pattern.slice(0, -1);
      return await changeMany(
        (to) => sql`
          UPDATE countersign_agents SET status = ${to} WHERE workload = 1 AND status <> 'revoked'
          AND substr(id, 1, ${prefix.length}) = ${prefix} RETURNING id`,
        { stop: pattern, what: `pattern ${pattern}`, status },
      );
    },
  };
}

export function checkStatus(status: unknown): void {
  if (typeof status === 'string' && statuses.includes(status)) return;
  throw new AuthorityError('agent_invalid', `a status is one of ${statuses.join(', ')}`);
}
