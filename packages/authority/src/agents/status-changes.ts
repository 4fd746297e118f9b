import { AuthorityError } from '../authority-error.js';
import { required, type Row, sql, type Statement, type Store, textOf } from '../storage/store.js';
import type { Trail, TrailEvent } from '../trail/trail.js';
import type { AgentStatus, RegisteredAgent } from './agent.js';
import { agentEvent, statusEvents } from './agent-event.js';
import { columnsOf } from './agent-rows.js';
import { directoryChange } from './directory.js';
import { createInvitations, endInvitations } from './invitations.js';
import { isPattern, isTag } from './read-agent.js';
import { factsOfWorkload, meetsRule, ruleHasTag, type WorkloadFacts } from './workload-rules.js';
import { changeStop, stopOfTag } from './workload-stops.js';

/** Statuses that an administrator can give to an agent. */
export type NewStatus = Exclude<AgentStatus, 'pending'>;

/** Changes of the status of agents. Every refusal is an `AuthorityError`. */
export interface StatusChanges {
  /**
   * Of a workload of SPIFFE, also before it first comes. `by`: who does it, for the audit log. Default: an administrator.
   * If there is no such agent, `suspended` and `revoked` end the open invitations of the id.
   */
  setStatus(id: string, status: NewStatus, by?: TrailEvent['event']['by']): Promise<RegisteredAgent>;
  /**
   * The same for all agents with a tag; the ids of those that changed. Pending agents stay pending, unless they are revoked.
   * `active` ends a suspension by this tag, and no other: an agent that is suspended by its id as well stays so. Workloads of
   * SPIFFE have the tags of their rule now. Those that come later are kept out until the tag is active again. `suspended`
   * and `revoked` also end the open invitations with the tag.
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
  const invitations = createInvitations(store, now, trail);

  async function changeMany(
    before: readonly Statement[],
    change: Statement,
    { what, status }: { readonly what: string; readonly status: NewStatus },
  ): Promise<readonly string[]> {
    const { actor: _actor, ...event } = agentEvent(statusEvents[status], what, `all with the ${what}`);
    const done = await store.batch([...before, change, directoryChange(), ...trail.record(event)]);
    const rows = (done?.[before.length] ?? []).filter((row) => textOf(row, 'status') === status);
    return rows.map((row: Row) => textOf(row, 'id')).toSorted();
  }

  return {
    async setStatus(id, status, by) {
      checkStatus(status);
      const own = status === 'suspended' ? marked(ownId) : '';
      const happened = [directoryChange(), ...trail.record(agentEvent(statusEvents[status], id, undefined, by))];
      const change = sql`
        UPDATE countersign_agents SET status = ${status},
          stopped_by = CASE WHEN ${own} = '' THEN '' ELSE replace(stopped_by, ${own}, '') || ${own} END
        WHERE id = ${id} AND status <> 'revoked' RETURNING id`;
      const facts = factsOfWorkload(rules, id);
      const columns = facts && columnsOf(facts);
      // Also if it comes at the same moment. With the tags of its rule now: a stop of one that it gets suspends it.
      const insert =
        columns &&
        sql`
        INSERT INTO countersign_agents
          (id, owner, capabilities, roles, tags, status, name, redirect_uris, expires_at, created_at, workload, seen_at,
            stopped_by)
        VALUES (${id}, ${columns.owner}, ${columns.capabilities}, ${columns.roles}, ${columns.tags}, ${status},
          ${columns.name}, ${columns.redirect_uris}, ${columns.expires_at}, ${now()}, 1, ${now()}, ${own})
        ON CONFLICT (id) DO UPDATE SET status = excluded.status,
          stopped_by = CASE WHEN excluded.stopped_by = '' THEN ''
            ELSE replace(countersign_agents.stopped_by, excluded.stopped_by, '') || excluded.stopped_by END,
          tags = CASE WHEN countersign_agents.workload = 1 THEN excluded.tags ELSE countersign_agents.tags END
        WHERE countersign_agents.status <> 'revoked' RETURNING id`;
      const changed = [required(insert ?? change), ...happened];
      let done = await store.batch(changed);
      if (done === undefined && status !== 'active') {
        // Waits for a registration that has begun, and no other can begin: the agent is there afterwards, or not at all.
        const ended = await invitations.remove(id);
        done = await store.batch(changed);
        if (done === undefined && ended > 0) {
          throw new AuthorityError('agent_unknown', `there is no agent '${id}'; its open invitations are ended`);
        }
      }
      const agent = await known(id);
      if (done === undefined && status !== 'revoked') {
        throw new AuthorityError('status_conflict', `agent '${id}' is revoked, which is final`);
      }
      return agent;
    },

    async setStatusByTag(tag, status) {
      checkStatus(status);
      if (!isTag(tag)) throw new AuthorityError('agent_invalid', 'that is no tag');
      const name = stopOfTag(tag);
      const byRule = ruleHasTag(rules, tag, 2);
      const change = changeBecause(name, status, {
        text: `(tags LIKE $1 OR (workload = 1 AND ${byRule.text}))`,
        values: [`% ${tag} %`, ...byRule.values],
      });
      const before = [
        // Also if no rule has the tag: one may get it later.
        ...changeStop(name, status !== 'active', now()),
        ...(status === 'active' ? [] : [endInvitations({ tag })]),
      ];
      return await changeMany(before, change, { what: name, status });
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
      const change = changeBecause(pattern, status, sql`workload = 1 AND substr(id, 1, ${prefix.length}) = ${prefix}`);
      const before = changeStop(pattern, status !== 'active', now());
      return await changeMany(before, change, { what: `pattern ${pattern}`, status });
    },
  };
}

/** What suspended an agent by itself. Others are tags and patterns, as `stopOfTag` names them. */
const ownId = 'id';

/** A name as it is in `stopped_by`, between commas: no tag and no SPIFFE ID has one. */
function marked(name: string): string {
  return `,${name},`;
}

/** A change of all agents that fulfil a condition. An agent that something else suspended as well stays suspended. */
function changeBecause(name: string, status: NewStatus, where: Statement): Statement {
  const { text, values } = where;
  const mark = `$${values.length + 1}`;
  switch (status) {
    case 'suspended':
      return {
        text: `
          UPDATE countersign_agents SET status = 'suspended', stopped_by = replace(stopped_by, ${mark}, '') || ${mark}
          WHERE status IN ('active', 'suspended') AND ${text} RETURNING id, status`,
        values: [...values, marked(name)],
      };
    case 'active':
      // Whether or not it still has the tag.
      return {
        text: `
          UPDATE countersign_agents SET stopped_by = replace(stopped_by, $1, ''),
            status = CASE WHEN replace(stopped_by, $1, '') = '' THEN 'active' ELSE 'suspended' END
          WHERE status = 'suspended' AND replace(stopped_by, $1, '') <> stopped_by RETURNING id, status`,
        values: [marked(name)],
      };
    case 'revoked':
      return {
        text: `
          UPDATE countersign_agents SET status = 'revoked' WHERE status <> 'revoked' AND ${text} RETURNING id, status`,
        values,
      };
  }
}

/** Suspends a workload whose rule got a tag, if the tag is stopped. */
export function suspendIfStopped(id: string, tag: string): Statement {
  const name = stopOfTag(tag);
  return sql`
    UPDATE countersign_agents SET status = 'suspended', stopped_by = replace(stopped_by, ${marked(name)}, '') || ${marked(name)}
    WHERE id = ${id} AND status <> 'revoked'
    AND EXISTS (SELECT 1 FROM countersign_workload_stops WHERE name = ${name}) RETURNING id`;
}

export function checkStatus(status: unknown): void {
  if (typeof status === 'string' && statuses.includes(status)) return;
  throw new AuthorityError('agent_invalid', `a status is one of ${statuses.join(', ')}`);
}
