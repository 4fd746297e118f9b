import type { PolicyDecision, PolicyEngine, PolicyQuery, Resource } from '../engine.js';
import { explain } from '../explain/explain.js';
import type { Explanation } from '../explanation.js';
import { yieldEvery } from '@countersign/common';
import { freshCedar } from './instance/instance.js';
import type { CedarRequest } from './request/request.js';
import { LivePolicies } from './evaluate/live-policies.js';
import type { Policy, PolicySet, PolicySetTexts } from './load/policy-set.js';
import { readPolicySet } from './load/read-policy-set.js';
import { cedarRequest } from './request/request.js';
import { AGENT_VOCABULARY, type NamedTexts } from './load/schema.js';
import { uidOf } from './index/scope.js';

/** Policies and schema as text. */
export interface CedarSource {
  /** Cedar policies: one text, or texts by file name. */
  readonly policies: string | NamedTexts;
  /**
   * Your own resources and actions, in Cedar's schema language; the agent vocabulary is added to it. With a schema,
   * policies are validated when they are loaded and every request when it is decided. Without one nothing is
   * validated: a misspelt attribute shows only when a request reaches it, as a deny.
   */
  readonly schema?: string | NamedTexts;
  /**
   * What roles, groups and resources are in, and their attributes, as far as it is known beforehand: a role in a role,
   * a user in a group. Agents are not among them; their roles come with them.
   */
  readonly entities?: readonly Resource[];
}

/** A decision that can say why, by the policies that made it. */
export interface CedarDecision extends PolicyDecision {
  explain(): Explanation;
}

/** Decides with Cedar, in process. */
export interface CedarEngine extends PolicyEngine {
  /** Hash of the policy set that decides now. */
  readonly policySet: string;
  decide(query: PolicyQuery): CedarDecision;
  decideMany(query: Omit<PolicyQuery, 'resource'>, resources: readonly Resource[]): Promise<readonly CedarDecision[]>;
  /** The policies that decide now, in the order of their files. */
  readonly policies: readonly Policy[];
  /** The actions that can be asked about, each with its types of resource, by the schema; undefined without one. */
  readonly actions: ReadonlyMap<string, readonly string[]> | undefined;
  /**
   * Puts other policies in force, whole or not at all: on any problem the old ones stay. That a schema is missing where
   * there was one is a problem, too.
   */
  replace(source: CedarSource): { readonly ok: true } | { readonly ok: false; readonly problem: string };
}

/** An engine, or why the source cannot be put in force. */
export function createCedarEngine(
  source: CedarSource,
): { readonly ok: true; readonly engine: CedarEngine } | { readonly ok: false; readonly problem: string } {
  const loaded = load(source);
  return loaded.ok ? { ok: true, engine: new Engine(loaded.live) } : loaded;
}

/** Without a schema neither policies nor requests are validated any more: a file that is gone must not do that. */
const LOST =
  'the policies had a schema, and now there is none, so that nothing would be validated. ' +
  'Give it again, or make a new engine without.';

class Engine implements CedarEngine {
  readonly knowsUsers = true;
  #live: LivePolicies;

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

  get policySet(): string {
    return this.#live.set.hash;
  }

  decide(query: PolicyQuery): CedarDecision {
    return decideBy(this.#live, query);
  }

  async decideMany(
    query: Omit<PolicyQuery, 'resource'>,
    resources: readonly Resource[],
  ): Promise<readonly CedarDecision[]> {
    // A replacement while others have their turn must not decide half of a list.
    const live = this.#live;
    const decisions: CedarDecision[] = [];
    const turnOver = yieldEvery();
    for (const resource of resources) {
      decisions.push(decideBy(live, { ...query, resource }));
      await turnOver();
    }
    return decisions;
  }

  replace(source: CedarSource): { readonly ok: true } | { readonly ok: false; readonly problem: string } {
    const loaded = load(source, this.#live.set);
    if (!loaded.ok) return loaded;
    if (this.#live.set.schema !== undefined && loaded.live.set.schema === undefined)
      return { ok: false, problem: LOST };
    this.#live = loaded.live;
    return { ok: true };
  }
}

function decideBy(live: LivePolicies, query: PolicyQuery): CedarDecision {
  const { hash: policySet } = live.set;
  const translated = translate(query, live.set);
  if (!translated.ok) {
    const errors = [translated.problem];
    return new Decision({ decision: 'deny', cause: 'error', policies: [], policySet, errors }, query, undefined, live);
  }
  const { request } = translated;
  const answer = live.evaluate(request);
  const { policies } = answer;
  return new Decision(
    answer.ok
      ? { decision: answer.decision, cause: 'policy', policies, policySet, errors: [] }
      : { decision: 'deny', cause: 'error', policies, policySet, errors: answer.errors },
    query,
    request,
    live,
  );
}

/** Keeps what it was made of, so that an explanation costs nothing until it is asked for. */
class Decision implements CedarDecision {
  readonly decision: PolicyDecision['decision'];
  readonly cause: PolicyDecision['cause'];
  readonly policies: readonly string[];
  readonly policySet: string;
  readonly errors: readonly string[];
  readonly #query: PolicyQuery;
  readonly #request: CedarRequest | undefined;
  readonly #live: LivePolicies;

  constructor(answer: PolicyDecision, query: PolicyQuery, request: CedarRequest | undefined, live: LivePolicies) {
    this.decision = answer.decision;
    this.cause = answer.cause;
    this.policies = answer.policies;
    this.policySet = answer.policySet;
    this.errors = answer.errors;
    this.#query = query;
    this.#request = request;
    this.#live = live;
  }

  explain(): Explanation {
    return explain({ decision: this, query: this.#query, request: this.#request, set: this.#live.set });
  }
}

function translate(query: PolicyQuery, { entities }: PolicySet): ReturnType<typeof cedarRequest> {
  try {
    return cedarRequest(query, entities);
  } catch (thrown) {
    // A query of another shape than its type, or an object of the application's that throws when it is read.
    return { ok: false, problem: `the query cannot be read: ${String(thrown)}` };
  }
}

/** Tries the policies in an instance of their own. Only if it survives them do they go live. */
function load(
  source: CedarSource,
  earlier?: PolicySet,
): { readonly ok: true; readonly live: LivePolicies } | { readonly ok: false; readonly problem: string } {
  try {
    const reading = readPolicySet(freshCedar(), textsOf(source), AGENT_VOCABULARY, earlier);
    if (!reading.ok) return { ok: false, problem: reading.problems.join('\n  ') };
    // An instance never gives memory back, so that what reading took goes with the one that read.
    const started = LivePolicies.start(reading.set, freshCedar());
    return started.ok ? started : { ok: false, problem: started.problems.join('\n  ') };
  } catch (thrown) {
    return { ok: false, problem: `Cedar cannot take these policies: ${String(thrown)}` };
  }
}

function textsOf({ policies, schema, entities }: CedarSource): PolicySetTexts {
  return {
    ...(entities && { entities }),
    policies: typeof policies === 'string' ? { 'policies.cedar': policies } : policies,
    ...(schema === undefined ? {} : { schema: typeof schema === 'string' ? { 'schema.cedarschema': schema } : schema }),
  };
}
