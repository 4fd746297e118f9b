import { approvalLimits, type ApprovalRequirement } from '@countersign/approval';
import type { PolicyDecision } from '../engine.js';
import { explain } from '../explain/explain.js';
import type { Explanation } from '../explanation.js';
import { type Evaluation, failed } from './evaluate/evaluation.js';
import type { PolicySet } from './load/policy-set.js';

/** A decision that can be explained, by the policies that made it. */
export interface CedarDecision extends PolicyDecision {
  explain(): Explanation;
}

/** What an evaluation comes to. Records keep its errors without values, an explanation quotes them. */
export function decisionOf(
  evaluation: Evaluation,
  set: PolicySet,
  explained: (decision: PolicyDecision) => Omit<Parameters<typeof explain>[0], 'set'>,
): CedarDecision {
  const answerable = withinLimits(evaluation);
  const { ok, policies } = answerable;
  const decision = ok ? answerable.decision : 'deny';
  const failures = ok ? [] : answerable.errors;
  const approval = ok ? answerable.approval : undefined;
  const outcome = {
    decision,
    cause: ok ? 'policy' : 'error',
    policies,
    policySet: set.hash,
    errors: failures.map(({ recorded }) => recorded),
  } as const;
  const result: PolicyDecision = approval === undefined ? outcome : { ...outcome, approval };
  const told = { ...result, errors: failures.map(({ full }) => full) };
  return new Decision(result, () => explain({ ...explained(told), set }));
}

/** Here, and not in the evaluation, which is remembered: without a permit that has expired it may be within them. */
function withinLimits(evaluation: Evaluation): Evaluation {
  const quorums = evaluation.ok ? (evaluation.approval?.quorums.length ?? 0) : 0;
  if (quorums <= approvalLimits.quorums) return evaluation;
  const problem = `permits with ${quorums} different @approval apply together, and an approval answers at most ${approvalLimits.quorums}`;
  return { ...failed(problem), policies: evaluation.policies };
}

/** A decision whose explanation is computed only on request. */
class Decision implements CedarDecision {
  readonly decision: PolicyDecision['decision'];
  readonly cause: PolicyDecision['cause'];
  readonly policies: readonly string[];
  readonly policySet: string;
  readonly errors: readonly string[];
  // Declared without a value, so that a decision which needs no approval has no such member.
  declare readonly approval?: ApprovalRequirement;
  readonly #explain: () => Explanation;

  constructor(result: PolicyDecision, explain: () => Explanation) {
    this.decision = result.decision;
    this.cause = result.cause;
    this.policies = result.policies;
    this.policySet = result.policySet;
    this.errors = result.errors;
    if (result.approval !== undefined) this.approval = result.approval;
    this.#explain = explain;
  }

  explain(): Explanation {
    return this.#explain();
  }
}
