import type { PolicyChangeCheck, PolicyEngine, PolicyQuery, Resource } from '../engine.js';
import { type ReloadResult, type Turns, yieldEvery } from '@countersign/common';
import { type CedarDecision, decisionOf } from './decision.js';
import { freshCedar } from './instance/instance.js';
import { failed } from './evaluate/evaluation.js';
import { LivePolicies } from './evaluate/live-policies.js';
import type { Policy, PolicySet, PolicySetTexts } from './load/policy-set.js';
import { LOAD_MILLISECONDS, readPolicySet } from './load/read-policy-set.js';
import { cedarRequest, type CedarRequest } from './request/request.js';
import { AGENT_VOCABULARY, type NamedTexts } from './load/schema.js';
import { uidOf } from './index/scope.js';

/** Policies, schema and entities of an engine. */
export interface CedarSource {
  /** Cedar policies: one text, or texts by file name. */
  readonly policies: string | NamedTexts;
  /**
   * Your resources and actions in Cedar's schema language; the agent vocabulary is added to it. With a schema, policies
   * are validated at load and every request is validated before it is decided. Default: nothing is validated, so that
   * a misspelt attribute appears only as a deny when a request reaches it.
   */
  readonly schema?: string | NamedTexts;
  /**
   * Parents and attributes of roles, users, groups and resources that are known at load, such as a role in a role.
   * Agents are not allowed here: their roles come with each query. Default none.
   */
  readonly entities?: readonly Resource[];
}

/** Decides with Cedar, in process. */
export interface CedarEngine extends PolicyEngine {
  /** Hash of the current policy set. */
  readonly policySet: string;
  decide(query: PolicyQuery): CedarDecision;
  decideMany(...asked: Parameters<NonNullable<PolicyEngine['decideMany']>>): Promise<readonly CedarDecision[]>;
  checkChanges(problemOf: PolicyChangeCheck): () => void;
  /** The current policies, in the order of their files. */
  readonly policies: readonly Policy[];
  /** The actions that a query can name, each with its resource types; undefined without a schema. */
  readonly actions: ReadonlyMap<string, readonly string[]> | undefined;
  /**
   * Replaces policies, schema and entities atomically. Until it resolves, the old ones decide: loading lets the event loop
   * have its turn every few milliseconds. On any problem they remain in force. Two calls take effect in their order. A
   * source without a schema, or without entities, is a problem if the current one has them; an empty list
   * removes the entities.
   */
  replace(source: CedarSource): Promise<ReloadResult>;
}

/** Creates an engine, or reports why the source cannot be loaded. */
export async function createCedarEngine(
  source: CedarSource,
): Promise<{ readonly ok: true; readonly engine: CedarEngine } | { readonly ok: false; readonly problem: string }> {
  const loaded = await load(textsOf(source));
  if (!loaded.ok) return loaded;
  warmSoon();
  return { ok: true, engine: new Engine(loaded.live) };
}

/** Losing the schema would turn validation off, so that a missing file must not be taken for a decision to do that. */
const SCHEMA_REMOVED =
  'the policies had a schema, and now there is none, so that nothing would be validated. ' +
  'Give it again, or make a new engine without.';

/** In no group, nobody is subject to a forbid on it. */
const ENTITIES_REMOVED =
  'the policies had entities (entities.json), and now there are none, so that nobody would be in a role or group. ' +
  'Give them again; an empty list, [], removes them.';

let warmed = false;

/**
 * Decides once, soon, and only the first time in a process. V8 compiles a function of the library when it is first called,
 * which would keep the first request waiting for about 100 ms.
 */
function warmSoon(): void {
  if (warmed) return;
  warmed = true;
  setImmediate(() => void decideOnce()).unref();
}

/** A decision of policies of its own, in an instance of its own. Never rejects. */
export async function decideOnce(): Promise<CedarDecision | undefined> {
  const policies = 'permit (principal in Role::"a", action, resource) when { context.scope.contains("a") };';
  const loaded = await load(textsOf({ policies }));
  if (!loaded.ok) return undefined;
  return decideWith(loaded.live, {
    principal: { id: 'a', roles: ['a'], capabilities: ['a'] },
    action: 'a',
    resource: { type: 'Path', id: '/' },
    context: {
      scope: ['a'],
      depth: 0,
      via: [],
      proof: 'signature',
      possession: 'signature',
      request: { method: 'GET', path: '/' },
    },
  });
}

class Engine implements CedarEngine {
  readonly knowsUsers = true;
  #live: LivePolicies;
  /** One entry for each guard. */
  readonly #checks = new Set<{ readonly problemOf: PolicyChangeCheck }>();
  /** One at a time: a large source must not replace a smaller one that was given after it. */
  #lastReplacement: Promise<unknown> = Promise.resolve();

  constructor(live: LivePolicies) {
    this.#live = live;
  }

  get scopeVocabulary(): readonly string[] {
    return this.#live.set.scopeVocabulary;
  }

  get policies(): readonly Policy[] {
    return this.#live.set.policies;
  }

  get actions(): ReadonlyMap<string, readonly string[]> | undefined {
    const { schema } = this.#live.set;
    return schema && new Map([...schema.askableActions].map(([key, { resources }]) => [uidOf(key).id, resources]));
  }

  get asksApproval(): boolean {
    return this.#live.set.policies.some(({ approval }) => approval !== undefined);
  }

  checkChanges(problemOf: PolicyChangeCheck): () => void {
    const check = { problemOf };
    this.#checks.add(check);
    return () => void this.#checks.delete(check);
  }

  get policySet(): string {
    return this.#live.set.hash;
  }

  decide(query: PolicyQuery): CedarDecision {
    return decideWith(this.#live, query);
  }

  async decideMany(
    ...[query, resources, signal]: Parameters<CedarEngine['decideMany']>
  ): Promise<readonly CedarDecision[]> {
    // All decisions of a list use one policy set, also if replace() runs between two of them.
    const live = this.#live;
    // The caller may change its list between two of them.
    const listed = [...resources];
    const decisions: CedarDecision[] = [];
    const nextTurn = yieldEvery();
    for (const resource of listed) {
      decisions.push(decideWith(live, { ...query, resource }));
      await nextTurn();
      signal?.throwIfAborted();
    }
    return decisions;
  }

  async replace(source: CedarSource): Promise<ReloadResult> {
    // The caller may change its object later.
    const texts = textsOf(source);
    const replacement = this.#lastReplacement.then(() => this.#replace(texts));
    this.#lastReplacement = replacement.catch(() => undefined);
    return await replacement;
  }

  async #replace(texts: PolicySetTexts): Promise<ReloadResult> {
    const loaded = await load(texts, this.#live.set);
    if (!loaded.ok) return loaded;
    const { schema, entities } = this.#live.set;
    if (schema !== undefined && loaded.live.set.schema === undefined) return { ok: false, problem: SCHEMA_REMOVED };
    if (entities.size > 0 && texts.entities === undefined) return { ok: false, problem: ENTITIES_REMOVED };
    const changed = new Engine(loaded.live);
    for (const { problemOf } of this.#checks) {
      const problem = problemOf(changed);
      if (problem !== undefined) return { ok: false, problem };
    }
    this.#live = loaded.live;
    return { ok: true };
  }
}

function decideWith(live: LivePolicies, query: PolicyQuery): CedarDecision {
  const { set, repeats } = live;
  const repeatable = repeatableOf(live, query);
  const asked = repeatable?.query ?? query;
  const known = repeatable && repeats.get(repeatable.key);
  if (known !== undefined) {
    return decisionOf(live.inForce(known), set, (decision) => ({ decision, query, request: requestOf(asked, set) }));
  }
  const translated = translate(asked, set);
  const evaluation = translated.ok ? live.evaluate(translated.request) : failed(translated.problem);
  if (repeatable !== undefined && evaluation.ok) repeats.set(repeatable.key, evaluation);
  return decisionOf(live.inForce(evaluation), set, (decision) => ({ decision, query, request: requestOf(asked, set) }));
}

function requestOf(query: PolicyQuery, set: PolicySet): CedarRequest | undefined {
  const translated = translate(query, set);
  return translated.ok ? translated.request : undefined;
}

function repeatableOf(live: LivePolicies, query: PolicyQuery): ReturnType<LivePolicies['repeats']['repeatable']> {
  try {
    return live.repeats.repeatable(query);
  } catch {
    // An untyped caller can pass any value. What is wrong with it is said where it is translated.
    return undefined;
  }
}

function translate(query: PolicyQuery, { entities }: PolicySet): ReturnType<typeof cedarRequest> {
  try {
    return cedarRequest(query, entities);
  } catch (thrown) {
    // An untyped caller can pass any value, or an object whose getter throws.
    return { ok: false, problem: `the query cannot be read: ${String(thrown)}` };
  }
}

/** Reads the policies in a scratch instance, so that text that kills an instance never reaches the live one. */
async function load(
  texts: PolicySetTexts,
  earlier?: PolicySet,
): Promise<{ readonly ok: true; readonly live: LivePolicies } | { readonly ok: false; readonly problem: string }> {
  const turns: Turns = yieldEvery(LOAD_MILLISECONDS);
  try {
    const options = earlier === undefined ? { turns } : { turns, earlier };
    const reading = await readPolicySet(freshCedar(), texts, AGENT_VOCABULARY, options);
    if (!reading.ok) return { ok: false, problem: reading.problems.join('\n  ') };
    // WebAssembly memory never shrinks: a new instance does not carry the memory that reading took.
    await turns();
    return { ok: true, live: await LivePolicies.start(reading.set, freshCedar(), turns) };
  } catch (thrown) {
    return { ok: false, problem: `Cedar cannot take these policies: ${String(thrown)}` };
  }
}

export function textsOf({ policies, schema, entities }: CedarSource): PolicySetTexts {
  return {
    ...(entities && { entities: [...entities] }),
    policies: typeof policies === 'string' ? { 'policies.cedar': policies } : { ...policies },
    ...(schema === undefined
      ? {}
      : { schema: typeof schema === 'string' ? { 'schema.cedarschema': schema } : { ...schema } }),
  };
}
