import type { Call, Guard } from '@countersign/core';
import { type ApprovalRound, onApprovalPage } from './approval-page.js';
import { type Denial, denialOf } from './denial.js';
import type { Question } from './reading.js';

/** Our outages that say what was asked for: a resource of its own, or something that people approve. */
const telling: ReadonlySet<string> = new Set(['resource_unresolved', 'approvals_unavailable']);

/** Asks policy each question of a call, in order. The first denial is the answer. */
export async function askAll(
  guard: Pick<Guard, 'missingScopes'>,
  call: Call,
  questions: readonly Question[],
  round: ApprovalRound,
): Promise<Denial | undefined> {
  for (const { permission, visible, hidden, onDeny, decidedBy } of questions) {
    const authorization = await call.authorize(permission);
    if (authorization.ok) continue;
    const { refusal } = authorization;
    // A missing scope is told to those who may know of it. Other outages of our own, and who is nobody any more, say nothing.
    const tells = refusal.status < 500 ? refusal.status !== 401 : telling.has(refusal.code);
    const conceals = tells && hidden !== undefined && visible !== undefined;
    if (conceals && !(await call.wouldPermit(visible))) return hidden;
    const { action } = permission;
    const missing = refusal.requiredScope === undefined ? [] : guard.missingScopes(round.caller, refusal.requiredScope);
    const denial = denialOf(refusal, { action, missing, ...(decidedBy && { decidedBy }), ...(onDeny && { onDeny }) });
    return onApprovalPage(denial, refusal, round);
  }
  return undefined;
}
