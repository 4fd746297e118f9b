import type { Call, Guard } from '@countersign/core';
import { type ApprovalRound, onApprovalPage } from './approval-page.js';
import { type Denial, denialOf } from './denial.js';
import type { Question } from './reading.js';

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
    // Our own outage says nothing about what exists, and a missing scope is told to those who may know of it.
    const tells = refusal.status === 403 || refusal.code === 'resource_unresolved';
    const conceals = tells && hidden !== undefined && visible !== undefined;
    if (conceals && !(await call.wouldPermit(visible))) return hidden;
    const { action } = permission;
    const missing = refusal.requiredScope === undefined ? [] : guard.missingScopes(round.caller, refusal.requiredScope);
    const denial = denialOf(refusal, { action, missing, ...(decidedBy && { decidedBy }), ...(onDeny && { onDeny }) });
    return onApprovalPage(denial, refusal, round);
  }
  return undefined;
}
