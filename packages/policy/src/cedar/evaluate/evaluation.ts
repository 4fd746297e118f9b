import type { AuthorizationAnswer } from '@cedar-policy/cedar-wasm/nodejs';
import { deepFreeze } from '@countersign/common';
import { describe } from '../instance/error-text.js';
import type { Policy } from '../load/policy-set.js';

/** `ok: false`: not evaluated cleanly, so whatever Cedar decided must not count. */
export type Evaluation =
  | { readonly ok: true; readonly decision: 'allow' | 'deny'; readonly policies: readonly string[] }
  | { readonly ok: false; readonly policies: readonly string[]; readonly errors: readonly string[] };

/** The request was not evaluated at all. */
export function refused(...errors: readonly string[]): Evaluation {
  return deepFreeze({ ok: false, policies: [], errors });
}

export function evaluationOf(answer: AuthorizationAnswer, policies: readonly Policy[]): Evaluation {
  if (answer.type === 'failure') {
    return refused(...answer.errors.map((error) => describe(error)));
  }
  const { decision, diagnostics } = answer.response;
  const idOf = (policyId: string): string => policies[placeOf(policyId)]?.id ?? policyId;
  if (diagnostics.errors.length === 0) {
    return deepFreeze({ ok: true, decision, policies: diagnostics.reason.toSorted(byPlace).map(idOf) });
  }
  // Cedar skips a policy that errs: a forbid that did not run must not end as an allow.
  const errors = diagnostics.errors.toSorted((a, b) => byPlace(a.policyId, b.policyId));
  return deepFreeze({
    ok: false,
    policies: errors.map(({ policyId }) => idOf(policyId)),
    errors: errors.map(({ policyId, error }) => `${idOf(policyId)}: ${describe(error)}`),
  });
}

/** Cedar calls the policies of a slice policy0, policy1, … and names them in no order. */
function placeOf(policyId: string): number {
  return Number(policyId.slice('policy'.length));
}

function byPlace(one: string, other: string): number {
  return placeOf(one) - placeOf(other);
}
