import { type Refusal } from '../../model/refusal.js';
import { explanationText, type PolicyDecision } from '@countersign/policy';

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
