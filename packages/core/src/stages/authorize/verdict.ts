import { type Refusal, refusal } from '../../model/refusal.js';
import type { PolicyDecision } from '@countersign/policy';

/** What became of the question about one resource, and what policy said if it was asked. */
export type Verdict =
  | { readonly permitted: true; readonly policy: PolicyDecision }
  | { readonly permitted: false; readonly policy?: PolicyDecision; readonly refused: Refusal };

export function verdictOf(answer: PolicyDecision | Refusal): Verdict {
  if ('code' in answer) return { permitted: false, refused: answer };
  if (answer.cause === 'policy' && answer.decision === 'allow') return { permitted: true, policy: answer };
  const refused =
    answer.cause === 'error' ? refusal('policy_error', answer.errors.join('; ')) : refusal('policy_denied');
  return { permitted: false, policy: answer, refused };
}
