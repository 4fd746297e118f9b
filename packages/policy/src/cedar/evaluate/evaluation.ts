import type { AuthorizationAnswer } from '@cedar-policy/cedar-wasm/nodejs';
import { type ApprovalRequirement, joinRequirements } from '@countersign/approval';
import { deepFreeze } from '@countersign/common';
import { errorText, recordedErrorText } from '../instance/error-text.js';
import type { Policy } from '../load/policy-set.js';

/** `ok: false`: evaluation failed, so that Cedar's decision must not count. */
export type Evaluation =
  | {
      readonly ok: true;
      readonly decision: 'allow' | 'deny';
      readonly policies: readonly string[];
      /** Of an allow that counts only together with the consent of people. */
      readonly approval: ApprovalRequirement | undefined;
    }
  | { readonly ok: false; readonly policies: readonly string[]; readonly errors: readonly EvaluationError[] };

/** `full` quotes values of the request: for people who explain a decision, never for the audit log. */
export interface EvaluationError {
  readonly recorded: string;
  readonly full: string;
}

/** An evaluation that failed before any policy was evaluated. */
export function failed(problem: string): Evaluation {
  return deepFreeze({ ok: false, policies: [], errors: [{ recorded: problem, full: problem }] });
}

export function evaluationOf(answer: AuthorizationAnswer, policies: readonly Policy[]): Evaluation {
  if (answer.type === 'failure') {
    const errors = answer.errors.map((error) => ({ recorded: recordedErrorText(error), full: errorText(error) }));
    return deepFreeze({ ok: false, policies: [], errors });
  }
  const { decision, diagnostics } = answer.response;
  const idOf = (policyId: string): string => policies[positionOf(policyId)]?.id ?? policyId;
  if (diagnostics.errors.length === 0) {
    const reasons = diagnostics.reason.toSorted(byPosition);
    const approval =
      decision === 'allow' ? approvalFor(reasons.map((id) => policies[positionOf(id)]?.approval)) : undefined;
    return deepFreeze({ ok: true, decision, policies: reasons.map(idOf), approval });
  }
  // Cedar skips a policy that fails: a skipped forbid must not result in an allow.
  const errors = diagnostics.errors.toSorted((a, b) => byPosition(a.policyId, b.policyId));
  return deepFreeze({
    ok: false,
    policies: errors.map(({ policyId }) => idOf(policyId)),
    errors: errors.map(({ policyId, error }) => ({
      recorded: `${idOf(policyId)}: ${recordedErrorText(error)}`,
      full: `${idOf(policyId)}: ${errorText(error)}`,
    })),
  });
}

/**
 * The evaluation of policies that were evaluated in parts: Cedar decides by each of them alone. `policies` are those of all
 * parts, in the order of the set.
 */
export function joinEvaluations(parts: readonly Evaluation[], policies: readonly Policy[]): Evaluation {
  const failures = parts.filter((part) => !part.ok);
  if (failures.length > 0) return joinFailures(failures, policies);
  const forbidding = parts.filter((part) => part.ok && part.decision === 'deny' && part.policies.length > 0);
  const forbidden = forbidding.length > 0;
  const ids = new Set((forbidden ? forbidding : parts).flatMap((part) => part.policies));
  const reasons = policies.filter(({ id }) => ids.has(id));
  const decision = !forbidden && reasons.length > 0 ? 'allow' : 'deny';
  const approval = decision === 'allow' ? approvalFor(reasons.map((policy) => policy.approval)) : undefined;
  return deepFreeze({ ok: true, decision, policies: reasons.map(({ id }) => id), approval });
}

type Failure = Extract<Evaluation, { ok: false }>;

function joinFailures(failures: readonly Failure[], policies: readonly Policy[]): Failure {
  const ofRequest = failures.find((failure) => failure.policies.length === 0);
  if (ofRequest !== undefined) return ofRequest;
  const errors = new Map(failures.flatMap((failure) => failure.policies.map((id, at) => [id, failure.errors[at]])));
  const failed = policies.flatMap(({ id }) => {
    const error = errors.get(id);
    return error === undefined ? [] : [{ id, error }];
  });
  return deepFreeze({ ok: false, policies: failed.map(({ id }) => id), errors: failed.map(({ error }) => error) });
}

/** Nothing, if one of the permits asks for none; else all that they ask for. */
export function approvalFor(permits: readonly (ApprovalRequirement | undefined)[]): ApprovalRequirement | undefined {
  const [first, ...others] = permits.filter((approval) => approval !== undefined);
  return first === undefined || others.length + 1 < permits.length ? undefined : joinRequirements(first, ...others);
}

/** Cedar calls the policies of a text policy0, policy1, … and reports them in no order. */
function positionOf(policyId: string): number {
  return Number(policyId.slice('policy'.length));
}

function byPosition(one: string, other: string): number {
  return positionOf(one) - positionOf(other);
}
