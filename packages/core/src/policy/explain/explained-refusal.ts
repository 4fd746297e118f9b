import { type Refusal } from '../../refusal.js';
import type { PolicyDecision } from '../engine.js';
import { explanationText } from './explanation-text.js';

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
