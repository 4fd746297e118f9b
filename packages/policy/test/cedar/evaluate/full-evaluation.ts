import { type Cedar, freshCedar } from '../../../src/cedar/instance/instance.js';
import type { CedarRequest } from '../../../src/cedar/request/request.js';
import type { Evaluation } from '../../../src/cedar/evaluate/evaluation.js';
import type { PolicySet } from '../../../src/cedar/load/policy-set.js';
import { describe as say } from '../../../src/cedar/instance/error-text.js';

/** What index, slices, projection and memo must not change: every policy, asked by its own id, with every entity there is. */
export function fullEvaluation(set: PolicySet): (request: CedarRequest) => Evaluation {
  const cedar: Cedar = freshCedar();
  const staticPolicies = Object.fromEntries(set.policies.map(({ id, text }) => [id, text]));
  const answers = [cedar.preparsePolicySet('all', { staticPolicies })];
  if (set.schema !== undefined) answers.push(cedar.preparseSchema('all', set.schema.text));
  if (answers.some(({ type }) => type === 'failure')) throw new Error(JSON.stringify(answers));
  const places = new Map(set.policies.map(({ id }, place) => [id, place]));
  const byPlace = (one: string, other: string): number => (places.get(one) ?? 0) - (places.get(other) ?? 0);
  return (request) => {
    const answer = cedar.statefulIsAuthorized({
      ...request,
      entities: [...request.entities, ...set.entities.values()],
      preparsedPolicySetId: 'all',
      ...(set.schema === undefined ? {} : { preparsedSchemaName: 'all', validateRequest: true }),
    });
    if (answer.type === 'failure') return { ok: false, policies: [], errors: answer.errors.map((error) => say(error)) };
    const { decision, diagnostics } = answer.response;
    if (diagnostics.errors.length === 0) {
      return { ok: true, decision, policies: diagnostics.reason.toSorted(byPlace) };
    }
    const errors = diagnostics.errors.toSorted((one, other) => byPlace(one.policyId, other.policyId));
    return {
      ok: false,
      policies: errors.map(({ policyId }) => policyId),
      errors: errors.map(({ policyId, error }) => `${policyId}: ${say(error)}`),
    };
  };
}

/** Without a schema Cedar's help may list fewer attributes, since it is told of fewer: then the words do not count. */
export function comparable(evaluation: Evaluation, { schema }: PolicySet): unknown {
  if (evaluation.ok) return evaluation;
  if (schema === undefined) return { ...evaluation, errors: evaluation.errors.length };
  // Cedar names any one member of a circle.
  return {
    ...evaluation,
    errors: evaluation.errors.map((error) => error.replace(/(cycle containing vertex ).*/, '$1')),
  };
}
