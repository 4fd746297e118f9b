import { type Turns, yieldEvery } from '@countersign/common';
import { Hierarchy } from '../index/hierarchy.js';
import { type Cedar, freshCedar } from '../instance/instance.js';
import { addReachable, entitiesIn } from '../request/entities.js';
import type { CedarRequest } from '../request/request.js';
import { type Evaluation, evaluationOf, failed, joinEvaluations } from './evaluation.js';
import { Memo } from './memo.js';
import { PolicyIndex, type ResolvedRequest } from '../index/policy-index.js';
import type { Policy, PolicySet } from '../load/policy-set.js';
import { errorText } from '../instance/error-text.js';
import { projectRequest, validatedRequest } from './projection.js';
import { Repeats } from './repeats.js';
import { keyFromJson } from '../index/scope.js';
import { partsOf, PolicySubsets } from './policy-subsets.js';
import { expiringIn, unexpired } from './unexpired.js';

/** The name of the preparsed schema. It cannot clash, as the instance belongs to one policy set. */
const SCHEMA_NAME = 'schema';

/** Most entities of one question, with all that these are in: Cedar's time grows faster than their number. */
const MAX_ENTITIES = 1024;

/** An instance and the state that is valid only with it. */
interface InstanceState {
  readonly cedar: Cedar;
  readonly subsets: PolicySubsets;
  readonly memo: Memo;
}

/**
 * A policy set with its own Cedar instance, which is replaced if it fails. Evaluates only the policies whose scope holds
 * for the request, with the same result as all policies (docs/decisions/0013-policy-index.md).
 */
export class LivePolicies {
  readonly set: PolicySet;
  readonly repeats: Repeats = new Repeats();
  /** The policies by id; undefined if none of them expires. */
  readonly #expiring: ReadonlyMap<string, Policy> | undefined;
  readonly #index: PolicyIndex;
  #state: InstanceState | undefined;

  private constructor(set: PolicySet, index: PolicyIndex, state: InstanceState) {
    this.set = set;
    this.#expiring = expiringIn(set.policies);
    this.#index = index;
    this.#state = state;
  }

  /** @throws Error (as a rejection) if Cedar refuses a schema that it accepted at load. */
  static async start(set: PolicySet, cedar: Cedar, turns: Turns = yieldEvery()): Promise<LivePolicies> {
    const scopes = set.policies.map(({ scope }) => scope);
    return new LivePolicies(set, await PolicyIndex.of(scopes, turns), startInstance(set, cedar));
  }

  /** What remains of an evaluation, which may be remembered, without the permits that have expired. */
  inForce(evaluation: Evaluation): Evaluation {
    return this.#expiring === undefined ? evaluation : unexpired(evaluation, this.#expiring, Date.now);
  }

  evaluate(request: CedarRequest): Evaluation {
    try {
      this.#state ??= startInstance(this.set, freshCedar());
      return this.#evaluate(this.#state, request);
    } catch (thrown) {
      // A throw leaks stack of the instance, and may have broken it: the next request gets a new one.
      this.#state = undefined;
      return failed(`Cedar threw: ${String(thrown)}`);
    }
  }

  #evaluate(state: InstanceState, asked: CedarRequest): Evaluation {
    const { schema, policies } = this.set;
    const entities = [...asked.entities];
    const request = { ...asked, entities };
    addReachable(entities, entityKeysIn(request), this.set.entities);
    if (entities.length > MAX_ENTITIES) return failed(`it reaches more than ${MAX_ENTITIES} entities`);
    const hierarchy = new Hierarchy(entities, schema?.actionGroups ?? new Map());
    const resolved = hierarchy.resolve(request);
    // With a schema Cedar receives all entities and detects cycles itself.
    const cyclic = schema === undefined && hierarchy.firstInCycle([resolved.principal, resolved.resource]);
    if (cyclic) return failed(`${cyclic.key} is in itself, by its parents and the entities beside the policies`);
    const matching = this.#index.matching(resolved);
    const parts = partsOf(matching, policies).map((part) => this.#evaluatePart(state, part, request, resolved));
    const [first] = parts;
    if (first !== undefined && parts.length === 1) return first;
    return joinEvaluations(
      parts,
      matching.flatMap((number) => policies[number] ?? []),
    );
  }

  #evaluatePart(
    { cedar, subsets, memo }: InstanceState,
    part: readonly number[],
    asked: CedarRequest,
    resolved: ResolvedRequest,
  ): Evaluation {
    const { schema, entities: known } = this.set;
    const entities = [...asked.entities];
    const request = { ...asked, entities };
    const subset = subsets.take(part);
    addReachable(entities, subset.reads.named, known);
    const keyed =
      schema === undefined
        ? projectRequest(request, resolved, subset.reads, subset.groups)
        : validatedRequest(request, subset.reads, schema.enumeratedTypes);
    const key = `${subset.serial} ${keyed.key}`;
    const cached = memo.get(key);
    if (cached !== undefined) return cached;
    const answer = cedar.statefulIsAuthorized({
      ...keyed.request(),
      preparsedPolicySetId: subset.slot,
      ...(schema === undefined ? {} : { preparsedSchemaName: SCHEMA_NAME, validateRequest: true }),
    });
    const evaluation = evaluationOf(answer, subset.policies);
    // Not cached: an error text may name a value that the key omits.
    if (evaluation.ok) memo.set(key, evaluation);
    return evaluation;
  }
}

function startInstance({ policies, schema }: PolicySet, cedar: Cedar): InstanceState {
  const answer = schema && cedar.preparseSchema(SCHEMA_NAME, schema.text);
  if (answer?.type === 'failure') throw new Error(answer.errors.map((error) => errorText(error)).join('; '));
  return { cedar, subsets: new PolicySubsets(cedar, policies), memo: new Memo() };
}

/** Keys of the entities that a request names, except those in its entity list. */
function entityKeysIn({ principal, action, resource, context }: CedarRequest): string[] {
  return [principal, action, resource, ...entitiesIn(context)].map(keyFromJson);
}
