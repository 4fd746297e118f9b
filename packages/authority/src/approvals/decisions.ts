import { breakGlassSeconds } from '@countersign/approval';
import { AuthorityError } from '../authority-error.js';
import {
  type Approval,
  type ApproverIdentity,
  breakGlassProblem,
  type Decision,
  decisionProblem,
  denialsOf,
  groupsAsked,
  stillMissing,
  type Verdict,
} from './approval.js';
import { factsOf } from './approval-rows.js';
import { checkReason } from './question.js';

export interface DecisionInput {
  readonly id: string;
  /** What the page showed. */
  readonly binding: string;
  readonly verdict: Verdict;
  readonly reason?: string;
  /** From `since`. A revocation after it refuses the decision. Default: the person is signed in at the moment of the call. */
  readonly since?: number;
}

/** What a decision leads to. Times are unix seconds; null: none. */
export interface Outcome {
  readonly status: 'pending' | 'approved' | 'denied';
  readonly brokeGlass: boolean;
  readonly endedAt: number | null;
  readonly useBy: number | null;
}

/** `denials`: so many end a request. */
export function outcomeOf({ request, decisions: before }: Approval, decision: Decision, denials: number): Outcome {
  const decisions = [...before, decision];
  const { verdict, decidedAt } = decision;
  const brokeGlass = verdict === 'break_glass';
  const approved = brokeGlass || (verdict === 'approve' && stillMissing({ request, decisions }).length === 0);
  // An administrator is in no group, and ends it alone.
  const enough = decision.groups.length === 0 || denialsOf({ decisions }).length >= denials;
  const status = approved ? 'approved' : verdict === 'deny' && enough ? 'denied' : 'pending';
  const { useWithinSeconds } = request.requirement;
  const seconds = brokeGlass ? Math.min(useWithinSeconds, breakGlassSeconds) : useWithinSeconds;
  return {
    status,
    brokeGlass,
    endedAt: status === 'pending' ? null : decidedAt,
    useBy: approved ? decidedAt + seconds : null,
  };
}

/** The decision of a person about what was shown to them. @throws AuthorityError if they may not, or if it is another request. */
export function decisionOf(
  approval: Approval,
  approver: ApproverIdentity,
  { binding, verdict, reason }: DecisionInput,
  {
    named,
    owner,
    now,
  }: { readonly named: ReadonlySet<string>; readonly owner: string | undefined; readonly now: number },
): Decision {
  if (approval.binding !== binding) throw conflict('it is not the request that was shown');
  const { request } = approval;
  const problem =
    verdict === 'break_glass'
      ? breakGlassProblem(approval, approver, named, owner)
      : decisionProblem(approval, approver, owner);
  if (problem !== undefined) throw new AuthorityError('approval_forbidden', problem);
  const needsReason = verdict === 'break_glass' || (verdict === 'approve' && request.requirement.reason === 'required');
  if (needsReason && reason === undefined) throw invalid('a reason is needed');
  checkReason(reason);
  const facts = factsOf(approver, groupsAsked(request), reason);
  return { ...facts, approver: approver.subject, verdict, decidedAt: Math.max(now, approval.askedAt) };
}

export function invalid(detail: string): AuthorityError {
  return new AuthorityError('approval_invalid', detail);
}

/** The person was revoked since their grant was read. */
export function ended(): AuthorityError {
  return new AuthorityError(
    'approval_forbidden',
    'Your access ended meanwhile. If you may still sign in, open the request again.',
  );
}

export function conflict(detail: string): AuthorityError {
  return new AuthorityError('approval_conflict', detail);
}
