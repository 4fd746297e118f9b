import { checkOptionNames } from '@countersign/common';
import { AuthorityError } from '../authority-error.js';
import { numberOf, required, type Row, sql, type Statement, type Store } from '../storage/store.js';
import { noTrail, type Trail } from '../trail/trail.js';
import type { AgentFacts, AgentStatus, NewAgent, NewKey, RegisteredAgent, RegisteredKey } from './agent.js';
import { agentEvent } from './agent-event.js';
import { agentsOf, columnsOf } from './agent-rows.js';
import { directoryChange } from './directory.js';
import { endRegistration, insertAnotherKey, insertKey, lockAgent, mostCurrentKeys } from './key-changes.js';
import { isAgentId, isTag, readFacts, readKey, readNewAgent } from './read-agent.js';
import { checkStatus, createStatusChanges, type StatusChanges } from './status-changes.js';
import { factsOfWorkload, ruleHasTag, type WorkloadFacts } from './workload-rules.js';
import { listStops } from './workload-stops.js';

/** Facts to change. */
export type AgentChange = { readonly [Name in keyof AgentFacts]: AgentFacts[Name] | null };

/** The agents and their keys. Every method is one atomic change; a refusal is an `AuthorityError`. */
export interface AgentRegistry extends StatusChanges {
  add(agent: NewAgent): Promise<RegisteredAgent>;
  get(id: string): Promise<RegisteredAgent | undefined>;
  list(filter?: { readonly tag?: string; readonly status?: AgentStatus }): Promise<readonly RegisteredAgent[]>;
  /** Those that the directory may name: not the workloads that may act, of which there may be very many. */
  listPublished(): Promise<readonly RegisteredAgent[]>;
  /** Replaces the facts that are given, and keeps the others. Null takes a fact away. */
  update(id: string, facts: AgentChange): Promise<RegisteredAgent>;
  /** Which workloads of SPIFFE are kept out if they come: patterns like `spiffe://example.org/ci/*`, and `tag ci`. */
  listStops(): Promise<readonly string[]>;
  /** Whether a name is that of an agent, or of a workload that may come. */
  isName(id: string): Promise<boolean>;
  /**
   * Adds a key. With `overlapSeconds`, all other keys of the agent stop to count so many seconds from now. It ends the
   * registration access token, as each change of keys by an administrator does.
   */
  addKey(id: string, key: NewKey, options?: { readonly overlapSeconds?: number }): Promise<RegisteredAgent>;
  /** From now on the key does not count. Nobody can register it again. */
  revokeKey(id: string, thumbprint: string): Promise<RegisteredAgent>;
}

/** So long an ended key is listed. Its row stays for ever, but the readers of agents must not pay for all that ever ended. */
const listedAfterEndSeconds = 3600;
const longestOverlapSeconds = 30 * 86_400;

/** `now` gives unix seconds; `rules` say which workloads of SPIFFE may be agents. */
export function createAgentRegistry(
  store: Store,
  now: () => number,
  trail: Trail = noTrail,
  rules: readonly WorkloadFacts[] = [],
): AgentRegistry {
  const happened = (...about: Parameters<typeof agentEvent>) => [
    directoryChange(),
    ...trail.record(agentEvent(...about)),
  ];

  async function read(where: string, values: readonly string[]): Promise<readonly RegisteredAgent[]> {
    return agentsOf(await store.run(agentsWithKeys(where, [now() - listedAfterEndSeconds, ...values])));
  }

  async function get(id: string): Promise<RegisteredAgent | undefined> {
    // Postgres cannot even be asked for a text with NUL.
    if (!isAgentId(id)) return undefined;
    const [agent] = await read('a.id = $2', [id]);
    return agent;
  }

  async function known(id: string): Promise<RegisteredAgent> {
    const agent = await get(id);
    if (agent === undefined) throw agentUnknown(id);
    return agent;
  }

  const changes = createStatusChanges({ store, trail, rules, now, known });

  return {
    ...changes,
    get,

    async setStatus(id, status, by) {
      checkId(id);
      return await changes.setStatus(id, status, by);
    },

    // Without rules no workload can come, and the stops would read as those of registered agents.
    listStops: async () => (rules.length === 0 ? [] : await listStops(store)),

    isName: async (id) => (await get(id)) !== undefined || factsOfWorkload(rules, id) !== undefined,

    async add(input) {
      const { statements, id } = insertAgent(input, now());
      if ((await store.batch([...statements, ...happened('registered', id)])) !== undefined) return await known(id);
      throw (await get(id)) === undefined ? keyTaken() : agentExists(id);
    },

    async list({ tag, status } = {}) {
      if (status !== undefined && status !== 'pending') checkStatus(status);
      const tagged = tag === undefined ? '%' : `% ${isTag(tag) ? tag : '\n'} %`;
      const byRule = ruleHasTag(rules, tag ?? '', 4);
      return await read(`(a.tags LIKE $2 OR (a.workload = 1 AND ${byRule.text})) AND a.status LIKE $3`, [
        tagged,
        status ?? '%',
        ...byRule.values,
      ]);
    },

    listPublished: () => read(`(a.workload = 0 OR a.status <> 'active')`, []),

    async update(id, input) {
      checkId(id);
      const statement = updateFacts(id, input);
      const names = Object.keys(input).toSorted().join(', ');
      if (statement === undefined) return await known(id);
      const done = await store.batch([required(statement), ...happened('changed', id, names)]);
      const agent = await known(id);
      if (done !== undefined) return agent;
      throw new AuthorityError('agent_invalid', `'${id}' is a workload of SPIFFE: its facts are those of its rule`);
    },

    async addKey(id, input, options = {}) {
      checkId(id);
      // Misspelt, the old keys would never end.
      checkOptionNames('agents.addKey', options, ['overlapSeconds']);
      const { overlapSeconds } = options;
      const key = readKey(input);
      const until = overlapSeconds === undefined ? undefined : now() + readOverlap(overlapSeconds);
      const statements = insertAnotherKey(id, key, { now: now(), until });
      const event = happened('key_added', id, `key ${key.thumbprint}`);
      const done = await store.batch([...statements, endRegistration(id), ...event]);
      if (done !== undefined) return await known(id);
      throw await whyNoKey(await known(id), key, store, now());
    },

    async revokeKey(id, thumbprint) {
      checkId(id);
      if (!/^[\w-]{43}$/.test(thumbprint)) throw new AuthorityError('agent_invalid', 'that is no thumbprint');
      const at = now();
      const change = sql`
        UPDATE countersign_keys SET expires_at = ${at} WHERE agent_id = ${id} AND thumbprint = ${thumbprint}
        AND (expires_at IS NULL OR expires_at > ${at})`;
      const event = happened('key_ended', id, `key ${thumbprint}`);
      await store.batch([lockAgent(id), change, endRegistration(id), ...event]);
      return await known(id);
    },
  };
}

/** The agents that fulfil a condition, with their keys that did not end before the first of the values. The index has this expression. */
function agentsWithKeys(where: string, values: readonly [number, ...string[]]): Statement {
  const text = `
    SELECT a.*, k.thumbprint, k.x, k.not_before, k.expires_at AS key_expires_at
    FROM countersign_agents a LEFT JOIN countersign_keys k
      ON k.agent_id = a.id AND COALESCE(k.expires_at, 9007199254740991) > $1
    WHERE ${where} ORDER BY a.id, k.created_at, k.thumbprint`;
  return { text, values };
}

/** The statements that register an agent, all of them required. */
export function insertAgent(
  input: unknown,
  now: number,
): { readonly id: string; readonly statements: readonly Statement[] } {
  const { id, status, facts, keys } = readNewAgent(input);
  const columns = columnsOf(facts);
  const insert = sql`
    INSERT INTO countersign_agents
      (id, owner, capabilities, roles, tags, status, name, redirect_uris, expires_at, created_at)
    VALUES (${id}, ${columns.owner}, ${columns.capabilities}, ${columns.roles}, ${columns.tags}, ${status},
      ${columns.name}, ${columns.redirect_uris}, ${columns.expires_at}, ${now})
    ON CONFLICT (id) DO NOTHING RETURNING id`;
  return { id, statements: [required(insert), ...keys.map((key) => insertKey(id, key, now))] };
}

const columnOf: Readonly<Record<keyof AgentFacts, keyof ReturnType<typeof columnsOf>>> = {
  owner: 'owner',
  capabilities: 'capabilities',
  roles: 'roles',
  tags: 'tags',
  expiresAt: 'expires_at',
  name: 'name',
  redirectUris: 'redirect_uris',
};

/** Sets the columns of the facts that are given, so that changes at the same time keep each other. Null takes a fact away. */
function updateFacts(id: string, input: AgentChange): Statement | undefined {
  // Sorted, so that there are not more statements than sets of facts.
  const given = Object.entries(input).toSorted(([a], [b]) => (a < b ? -1 : 1));
  const columns = columnsOf(readFacts(Object.fromEntries(given.filter(([, value]) => value !== null))));
  const names = given.map(([name]) => columnOf[name as keyof AgentFacts]);
  if (names.some((name) => name === undefined)) throw new AuthorityError('agent_invalid', 'there is no such fact');
  if (names.length === 0) return undefined;
  const text = names.map((name, index) => `${name} = $${index + 2}`).join(', ');
  return {
    text: `UPDATE countersign_agents SET ${text} WHERE id = $1 AND workload = 0 RETURNING id`,
    values: [id, ...names.map((name) => columns[name])],
  };
}

/** Why the key was not added, found out afterwards: it only words the refusal. */
async function whyNoKey(
  agent: RegisteredAgent,
  key: RegisteredKey,
  store: Store,
  now: number,
): Promise<AuthorityError> {
  if (agent.status === 'revoked') {
    return new AuthorityError('status_conflict', `agent '${agent.id}' is revoked, which is final`);
  }
  if (agent.workload === true) {
    return new AuthorityError('agent_invalid', `'${agent.id}' is a workload of SPIFFE, which has no registered keys`);
  }
  const taken = await store.run(sql`SELECT agent_id FROM countersign_keys WHERE thumbprint = ${key.thumbprint}`);
  if (taken.length > 0) return keyTaken();
  const current: Row | undefined = (
    await store.run(sql`
      SELECT count(*) AS keys FROM countersign_keys
      WHERE agent_id = ${agent.id} AND COALESCE(expires_at, 9007199254740991) > ${now}`)
  )[0];
  const count = current === undefined ? mostCurrentKeys : numberOf(current, 'keys');
  return new AuthorityError(
    'agent_invalid',
    `agent '${agent.id}' has ${count} keys; at most ${mostCurrentKeys} may count`,
  );
}

function checkId(id: unknown): void {
  if (!isAgentId(id)) throw agentUnknown(String(id));
}

function agentUnknown(id: string): AuthorityError {
  return new AuthorityError('agent_unknown', `there is no agent '${id}'`);
}

function readOverlap(seconds: unknown): number {
  const valid = typeof seconds === 'number' && Number.isSafeInteger(seconds) && seconds >= 0;
  if (valid && seconds <= longestOverlapSeconds) return seconds;
  throw new AuthorityError(
    'agent_invalid',
    `'overlapSeconds' must be whole seconds from 0 to ${longestOverlapSeconds}`,
  );
}

export function keyTaken(): AuthorityError {
  return new AuthorityError('key_taken', 'this key belongs to an agent already. Make a new one');
}

export function agentExists(id: string): AuthorityError {
  return new AuthorityError('agent_exists', `there is an agent '${id}' already`);
}
