import type { PolicyDecision } from '@countersign/policy';
import { decided, undecided } from '@countersign/pdp';

/** AuthZEN does not report the version of the policies. */
const policySet = '';

/** A single evaluation (Authorization API 1.0, §6.2). Only `"decision": true` permits. */
export function readEvaluation(json: unknown): PolicyDecision {
  if (typeof json !== 'object' || json === null) return noDecision('its answer is not an object');
  const { decision, context } = json as { readonly decision?: unknown; readonly context?: unknown };
  if (typeof decision !== 'boolean') return noDecision('its answer has no boolean "decision"');
  if (hasError(json) || hasError(context)) return noDecision('it reports an error besides a decision');
  if ('evaluations' in json) return noDecision('it gives several decisions where one was asked for');
  return decided(decision, policySet);
}

/** One evaluation for each resource, in order (§7.2). If the count differs, none can be assigned. */
export function readEvaluations(json: unknown, count: number): readonly PolicyDecision[] {
  const { evaluations } = (json ?? {}) as { readonly evaluations?: unknown };
  if (!Array.isArray(evaluations) || evaluations.length !== count) {
    return noDecisions(`its answer has not ${count} evaluations`, count);
  }
  if (hasError(json)) return noDecisions('it reports an error besides its decisions', count);
  if (Object.hasOwn(json as object, 'decision'))
    return noDecisions('it gives one decision for all besides its evaluations', count);
  return evaluations.map(readEvaluation);
}

/** §7.1.2.1 puts the error of one evaluation of many into `context`; some servers put it beside the decision. */
function hasError(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(hasError);
  return typeof value === 'object' && value !== null && ('error' in value || 'errors' in value);
}

export function noDecision(problem: string): PolicyDecision {
  return undecided(problem, policySet);
}

export function noDecisions(problem: string, count: number): readonly PolicyDecision[] {
  return Array.from({ length: count }, () => noDecision(problem));
}
