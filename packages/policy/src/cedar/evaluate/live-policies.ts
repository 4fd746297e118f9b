import { Hierarchy } from '../index/hierarchy.js';
import { type Cedar, freshCedar } from '../instance/instance.js';
import { addReachable, entitiesIn } from '../request/entities.js';
import type { CedarRequest } from '../request/request.js';
import { type Evaluation, evaluationOf, refused } from './evaluation.js';
import { Memo } from './memo.js';
import { PolicyIndex } from '../index/policy-index.js';
import type { PolicySet } from '../load/policy-set.js';
import { describe } from '../instance/error-text.js';
import { project, whole } from './projection.js';
import { keyFromJson } from '../index/scope.js';
import { PolicySubsets } from './policy-subsets.js';

/** Under this name the instance holds the schema. No other set can overwrite it: the instance is this set's own. */
const SCHEMA = 'schema';

/** What lives and dies with an instance. */
interface Running {
  readonly cedar: Cedar;
  readonly slices: PolicySubsets;
  readonly memo: Memo;
}

/**
 * A policy set on its own Cedar instance. Evaluates only the policies whose scope holds for the request, which gives the
 * same answer as all of them (docs/decisions/0013-policy-index.md), and outlives the instance.
 */
export class LivePolicies {
  readonly set: PolicySet;
  readonly #index: PolicyIndex;
  #running: Running | undefined;

  private constructor(set: PolicySet, running: Running) {
    this.set = set;
    this.#index = new PolicyIndex(set.policies.map(({ scope }) => scope));
    this.#running = running;
  }

  /** Puts the set into an instance. */
  static start(
    set: PolicySet,
    cedar: Cedar,
  ): { readonly ok: true; readonly live: LivePolicies } | { readonly ok: false; readonly problems: readonly string[] } {
    const running = run(set, cedar);
    return 'cedar' in running ? { ok: true, live: new LivePolicies(set, running) } : { ok: false, ...running };
  }

  evaluate(request: CedarRequest): Evaluation {
    try {
      this.#running ??= this.#restart();
      return this.#evaluate(this.#running, request);
    } catch (thrown) {
      // A throw leaks the instance's stack for good, and may be its last: the next request gets a new one.
      this.#running = undefined;
      return refused(`Cedar threw: ${String(thrown)}`);
    }
  }

  #evaluate({ cedar, slices, memo }: Running, asked: CedarRequest): Evaluation {
    const { schema, entities: known } = this.set;
    const entities = [...asked.entities];
    const request = { ...asked, entities };
    addReachable(entities, mentioned(request), known);
    const hierarchy = new Hierarchy(entities, schema?.actionGroups ?? new Map());
    const placed = {
      principal: hierarchy.place(request.principal),
      action: hierarchy.place(request.action),
      resource: hierarchy.place(request.resource),
    };
    // With a schema Cedar sees the whole request, and says so itself.
    const circular = schema === undefined && hierarchy.circular([placed.principal, placed.resource]);
    if (circular) return refused(`${circular.key} is in itself, by its parents and the entities beside the policies`);
    const slice = slices.take(this.#index.matching(placed));
    addReachable(entities, slice.reads.named, known);
    const question =
      schema === undefined
        ? project(request, placed, slice.reads, slice.groups)
        : whole(request, slice.reads, schema.enumeratedTypes);
    const key = `${slice.serial} ${question.key}`;
    const remembered = memo.get(key);
    if (remembered !== undefined) return remembered;
    const answer = cedar.statefulIsAuthorized({
      ...question.request,
      preparsedPolicySetId: slice.slot,
      ...(schema === undefined ? {} : { preparsedSchemaName: SCHEMA, validateRequest: true }),
    });
    const evaluation = evaluationOf(answer, slice.policies);
    // The text of an error may name what the key leaves out.
    if (evaluation.ok) memo.set(key, evaluation);
    return evaluation;
  }

  #restart(): Running {
    const running = run(this.set, freshCedar());
    if ('problems' in running) throw new Error(running.problems.join('; '));
    return running;
  }
}

function run({ policies, schema }: PolicySet, cedar: Cedar): Running | { readonly problems: readonly string[] } {
  const answer = schema && cedar.preparseSchema(SCHEMA, schema.text);
  if (answer?.type === 'failure') return { problems: answer.errors.map((error) => describe(error)) };
  return { cedar, slices: new PolicySubsets(cedar, policies), memo: new Memo() };
}

/** The entities that a request names, besides those that it brings. */
function mentioned({ principal, action, resource, context }: CedarRequest): string[] {
  return [principal, action, resource, ...entitiesIn(context)].map(keyFromJson);
}
