import type { DetailedError } from '@cedar-policy/cedar-wasm/nodejs';
import { joinRequirements } from '@countersign/approval';
import { type Cedar, freshCedar } from '../../../src/cedar/instance/instance.js';
import type { CedarRequest } from '../../../src/cedar/request/request.js';
import type { Evaluation, EvaluationError } from '../../../src/cedar/evaluate/evaluation.js';
import type { PolicySet } from '../../../src/cedar/load/policy-set.js';
import { errorText, recordedErrorText } from '../../../src/cedar/instance/error-text.js';

/** The reference for index, subsets, projection and memo: Cedar evaluates every policy with every known entity. */
export function fullEvaluation(set: PolicySet): (request: CedarRequest) => Evaluation {
  const cedar: Cedar = freshCedar();
  const staticPolicies = Object.fromEntries(set.policies.map(({ id, text }) => [id, text]));
  const answers = [cedar.preparsePolicySet('all', { staticPolicies })];
  if (set.schema !== undefined) answers.push(cedar.preparseSchema('all', set.schema.text));
  if (answers.some(({ type }) => type === 'failure')) throw new Error(JSON.stringify(answers));
  const positions = new Map(set.policies.map(({ id }, position) => [id, position]));
  const byPosition = (one: string, other: string): number => (positions.get(one) ?? 0) - (positions.get(other) ?? 0);
  return (request) => {
    const answer = cedar.statefulIsAuthorized({
      ...request,
      entities: [...request.entities, ...set.entities.values()],
      preparsedPolicySetId: 'all',
      ...(set.schema === undefined ? {} : { preparsedSchemaName: 'all', validateRequest: true }),
    });
    if (answer.type === 'failure')
      return { ok: false, policies: [], errors: answer.errors.map((error) => told(error)) };
    const { decision, diagnostics } = answer.response;
    if (diagnostics.errors.length === 0) {
      const policies = diagnostics.reason.toSorted(byPosition);
      const demands = policies.map((id) => set.policies.find((policy) => policy.id === id)?.approval);
      const [first, ...others] = demands.every((demand) => demand !== undefined) ? demands : [];
      const asks = decision === 'allow' && first !== undefined;
      return { ok: true, decision, policies, approval: asks ? joinRequirements(first, ...others) : undefined };
    }
    const errors = diagnostics.errors.toSorted((one, other) => byPosition(one.policyId, other.policyId));
    return {
      ok: false,
      policies: errors.map(({ policyId }) => policyId),
      errors: errors.map(({ policyId, error }) => told(error, `${policyId}: `)),
    };
  };
}

function told(error: DetailedError, place = ''): EvaluationError {
  return { recorded: `${place}${recordedErrorText(error)}`, full: `${place}${errorText(error)}` };
}

/** Without a schema, error texts are not compared: Cedar's help lists only the attributes that it receives. */
export function comparable(evaluation: Evaluation, { schema }: PolicySet): unknown {
  if (evaluation.ok) return evaluation;
  if (schema === undefined) return { ...evaluation, errors: evaluation.errors.length };
  // Cedar names an arbitrary member of a cycle.
  return {
    ...evaluation,
    errors: evaluation.errors.map(({ full, ...error }) => ({
      ...error,
      full: full.replace(/(cycle containing vertex ).*/, '$1'),
    })),
  };
}
