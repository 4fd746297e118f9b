import { type Refusal, refusal } from '../../model/refusal.js';
import { explanationText, type PolicyDecision } from '@countersign/policy';

/** What became of the question about one resource, and what policy said if it was asked. */
export type Verdict =
  | { readonly permitted: true; readonly policy: PolicyDecision }
  | { readonly permitted: false; readonly policy?: PolicyDecision; readonly refused: Refusal };

/**
 * Whether a refusal says nothing of its resource, because something does not answer: then a whole list is refused. What
 * could not be determined about one resource hides no other: whoever writes a row must not take lists from everybody.
 */
export function isOutage({ status, code }: Refusal): boolean {
  return status >= 500 && code !== 'resource_unresolved';
}

export function verdictOf(answer: PolicyDecision | Refusal): Verdict {
  if ('code' in answer) return { permitted: false, refused: answer };
  if (answer.cause === 'policy' && answer.decision === 'allow') return { permitted: true, policy: answer };
  const refused =
    answer.cause === 'error' ? refusal('policy_error', answer.errors.join('; ')) : refusal('policy_denied');
  return { permitted: false, policy: answer, refused };
}

/** The refusal of a denial together with its explanation, where the engine has one. */
export function explainedRefusal(refused: Refusal, decision: PolicyDecision | undefined): Refusal {
  // The decision of an actor who is permitted says nothing of why its subject is not.
  if (refused.status !== 403 || decision?.decision !== 'deny' || decision.explain === undefined) return refused;
  try {
    return Object.freeze({ ...refused, explanation: explanationText(decision.explain()) });
  } catch {
    // An engine of another's making: that it cannot explain itself must not change the answer.
    return refused;
  }
}
