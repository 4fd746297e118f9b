import type { AuthorizationAnswer, CedarValueJson, EntityJson, TypeAndId } from '@cedar-policy/cedar-wasm/nodejs';
import { type Cedar, freshCedar } from './instance.js';
import type { PolicySet } from './policy-set.js';
import { describe } from './problem.js';

/** A request in Cedar's words, already checked and copied. */
export interface CedarRequest {
  readonly principal: TypeAndId;
  readonly action: TypeAndId;
  readonly resource: TypeAndId;
  readonly context: Record<string, CedarValueJson>;
  readonly entities: EntityJson[];
}

/** `ok: false`: not evaluated cleanly, so whatever Cedar decided must not count. */
export type Evaluation =
  | { readonly ok: true; readonly decision: 'allow' | 'deny'; readonly policies: readonly string[] }
  | { readonly ok: false; readonly policies: readonly string[]; readonly errors: readonly string[] };

/** Ids of what is preparsed. No other set can overwrite it: the instance is this set's own. */
const PREPARSED = 'live';

/** A policy set on its own Cedar instance. Evaluates, and outlives the instance. */
export class LivePolicies {
  readonly set: PolicySet;
  #cedar: Cedar | undefined;

  private constructor(set: PolicySet, cedar: Cedar) {
    this.set = set;
    this.#cedar = cedar;
  }

  /** Loads the set into an instance. */
  static start(
    set: PolicySet,
    cedar: Cedar,
  ): { readonly ok: true; readonly live: LivePolicies } | { readonly ok: false; readonly problems: readonly string[] } {
    const problems = preparse(cedar, set);
    return problems.length === 0 ? { ok: true, live: new LivePolicies(set, cedar) } : { ok: false, problems };
  }

  evaluate(request: CedarRequest): Evaluation {
    let cedar: Cedar;
    let answer: AuthorizationAnswer;
    try {
      cedar = this.#cedar ??= this.#restart();
      answer = cedar.statefulIsAuthorized({
        ...request,
        preparsedPolicySetId: PREPARSED,
        ...(this.set.schema === undefined ? {} : { preparsedSchemaName: PREPARSED, validateRequest: true }),
      });
    } catch (thrown) {
      // A throw leaks the instance's stack for good, and may be its last: the next request gets a new one.
      this.#cedar = undefined;
      return { ok: false, policies: [], errors: [`Cedar threw: ${String(thrown)}`] };
    }
    return evaluationOf(answer);
  }

  #restart(): Cedar {
    const cedar = freshCedar();
    const problems = preparse(cedar, this.set);
    if (problems.length > 0) throw new Error(problems.join('; '));
    return cedar;
  }
}

function preparse(cedar: Cedar, { policies, schema }: PolicySet): string[] {
  const answers = [cedar.preparsePolicySet(PREPARSED, { staticPolicies: { ...policies } })];
  if (schema !== undefined) answers.push(cedar.preparseSchema(PREPARSED, schema));
  return answers.flatMap((answer) => (answer.type === 'failure' ? answer.errors.map((error) => describe(error)) : []));
}

function evaluationOf(answer: AuthorizationAnswer): Evaluation {
  if (answer.type === 'failure') {
    return { ok: false, policies: [], errors: answer.errors.map((error) => describe(error)) };
  }
  const { decision, diagnostics } = answer.response;
  if (diagnostics.errors.length === 0) return { ok: true, decision, policies: diagnostics.reason };
  // Cedar skips a policy that errs: a forbid that did not run must not end as an allow.
  return {
    ok: false,
    policies: diagnostics.errors.map(({ policyId }) => policyId),
    errors: diagnostics.errors.map(({ policyId, error }) => `${policyId}: ${describe(error)}`),
  };
}
