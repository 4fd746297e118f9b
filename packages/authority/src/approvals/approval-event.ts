import type { TrailEvent } from '../trail/trail.js';
import type { Approval, Decision } from './approval.js';

export type EventName =
  | 'asked'
  | 'withdrawn'
  | 'expired'
  | 'reviewed'
  | 'consented'
  | 'objected'
  | 'decision_revoked'
  | Ending;
type Ending = 'approved' | 'denied' | 'broke_glass';

/** What happened to an approval, as the audit log has it: the request with its facts, and never what the agent showed. */
export function approvalEvent(
  { id, binding, request }: Pick<Approval, 'id' | 'binding' | 'request'>,
  name: EventName,
  by: TrailEvent['event']['by'],
  { issuer, detail }: { readonly issuer: string; readonly detail?: string | undefined },
): TrailEvent {
  const { actor, subject, chain, action, resource, policies, policySet } = request;
  return {
    about: id,
    event: { name: `approval.${name}`, by },
    actor: { id: actor.id },
    subject,
    chain: chain.map((hop) => ({ ...hop, scope: [] })),
    action,
    resource,
    policies,
    policySet,
    approval: { binding, id, issuer, ...(name === 'broke_glass' && { breakGlass: true }) },
    ...(detail !== undefined && { detail }),
  };
}

/** The name of a decision: of several people who must consent, or whose denial it takes, only the last one ends it. */
export function decisionName({ verdict }: Decision, status: Approval['status']): EventName {
  if (verdict === 'break_glass') return 'broke_glass';
  if (verdict === 'approve') return status === 'approved' ? 'approved' : 'consented';
  return status === 'denied' ? 'denied' : 'objected';
}

/** An administrator is in no group: their token is no person. */
export function decider({ approver: id, verdict, groups, amr, acr, authTime }: Decision): TrailEvent['event']['by'] {
  if (verdict === 'deny' && groups.length === 0) return { id, type: 'administrator' };
  return {
    id,
    type: 'user',
    groups,
    ...(amr !== undefined && { amr }),
    ...(acr !== undefined && { acr }),
    ...(authTime !== undefined && { authTime }),
  };
}
