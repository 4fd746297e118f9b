import type { PolicyDecision } from '@countersign/policy';
import { decided, undecided } from '@countersign/pdp';

/** AuthZEN does not report the version of the policies. */
const policySet = '';

/**
 * A single evaluation (Authorization API 1.0, §6.2). Only `"decision": true` permits, and only without conditions. Members
 * of its context that `ignored` names are none.
 */
export function readEvaluation(json: unknown, ignored: readonly string[]): PolicyDecision {
  if (typeof json !== 'object' || json === null) return noDecision('its answer is not an object');
  const { decision, context, ...others } = json as { readonly decision?: unknown; readonly context?: unknown };
  if (typeof decision !== 'boolean') return noDecision('its answer has no boolean "decision"');
  if (hasError(json) || hasError(context)) return noDecision('it reports an error besides a decision');
  if ('evaluations' in json) return noDecision('it gives several decisions where one was asked for');
  const [condition] = decision ? [...Object.keys(others), ...conditionsIn(context, ignored)] : [];
  if (condition !== undefined) return noDecision(`it permits with "${condition}", which nobody here fulfils`);
  return decided(decision, policySet);
}

/** What says why something is permitted, and demands nothing (§5.5.2). */
const informational: readonly string[] = ['id', 'reason', 'reason_admin', 'reason_user'];

/** Obligations, advice and step-up authentication are members of the context, of any name. */
function conditionsIn(context: unknown, ignored: readonly string[]): readonly string[] {
  if (context === undefined || context === null) return [];
  if (typeof context !== 'object' || Array.isArray(context)) return ['context'];
  return Object.keys(context).filter((name) => !informational.includes(name) && !ignored.includes(name));
}

/** One evaluation for each resource, in order (§7.2). If the count differs, none can be assigned. */
export function readEvaluations(json: unknown, count: number, ignored: readonly string[]): readonly PolicyDecision[] {
  const { evaluations } = (json ?? {}) as { readonly evaluations?: unknown };
  if (!Array.isArray(evaluations) || evaluations.length !== count) {
    return noDecisions(`its answer has not ${count} evaluations`, count);
  }
  if (hasError(json)) return noDecisions('it reports an error besides its decisions', count);
  if (Object.hasOwn(json as object, 'decision'))
    return noDecisions('it gives one decision for all besides its evaluations', count);
  return evaluations.map((evaluation) => readEvaluation(evaluation, ignored));
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
