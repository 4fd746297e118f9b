import {
  type ApprovalDisclosure,
  type ApprovalRequest,
  approverProblem,
  missingApprovers,
  type ApprovalQuorum,
} from '@countersign/approval';
import type { RegisteredAgent } from '../agents/agent.js';

/** `expired`: nobody decided in time. */
export type ApprovalStatus = 'pending' | 'approved' | 'denied' | 'withdrawn' | 'expired';

/** `break_glass`: a named person approved alone, in an emergency. */
export type Verdict = 'approve' | 'deny' | 'break_glass';

/** What happened to an approval that people are told of. */
export type ApprovalEvent = 'asked' | 'approved' | 'denied' | 'break_glass';

/** A person who is signed in, with what counts for decisions. */
export interface ApproverIdentity {
  readonly subject: string;
  readonly name: string;
  /** Those of the sign-in and of the options. */
  readonly groups: readonly string[];
  readonly tenant?: string;
  readonly amr?: readonly string[];
  readonly acr?: string;
  readonly authTime?: number;
}

export interface Decision {
  readonly approver: string;
  readonly name: string;
  readonly verdict: Verdict;
  /** The groups of the requirement that the person was in. */
  readonly groups: readonly string[];
  readonly reason?: string;
  readonly amr?: readonly string[];
  readonly acr?: string;
  readonly authTime?: number;
  /** Unix seconds. */
  readonly decidedAt: number;
  /** Unix seconds: since when the decision does not count any more, because the person was revoked. */
  readonly revokedAt?: number;
}

/** One question to people. Times are unix seconds. */
export interface Approval {
  readonly id: string;
  readonly binding: string;
  /** The agent that asked. */
  readonly agent: string;
  /** Empty: none. */
  readonly tenant: string;
  readonly request: ApprovalRequest;
  readonly shown?: ApprovalDisclosure;
  readonly status: ApprovalStatus;
  /** Grows with each decision, so that two at the same moment do not miss each other. */
  readonly version: number;
  readonly askedAt: number;
  readonly decideBy: number;
  readonly endedAt?: number;
  readonly useBy?: number;
  /** When the agent got the approval first. */
  readonly signedAt?: number;
  readonly brokeGlass: boolean;
  readonly reviewedBy?: string;
  readonly reviewedAt?: number;
  readonly decisions: readonly Decision[];
}

const tenantTag = 'tenant:';

/** The tenant of an agent, by its tag. Empty: none. Two tenants are none that anybody is in. */
export function tenantOf({ tags }: Pick<RegisteredAgent, 'tags'>): string {
  return tags
    .filter((tag) => tag.startsWith(tenantTag))
    .map((tag) => tag.slice(tenantTag.length))
    .toSorted()
    .join(' ');
}

/** All groups that a requirement names. */
export function groupsAsked({ requirement }: ApprovalRequest): readonly string[] {
  return [...new Set(requirement.quorums.flatMap(({ groups }) => groups))];
}

/** Why a person may not decide about a request; undefined if they may. `owner` is who answers for the agent now. */
export function decisionProblem(
  { request, tenant }: Pick<Approval, 'request' | 'tenant'>,
  approver: ApproverIdentity,
  owner: string | undefined,
): string | undefined {
  if ((approver.tenant ?? '') !== tenant) return 'It belongs to another tenant.';
  const asked = groupsAsked(request);
  if (!approver.groups.some((group) => asked.includes(group))) return 'You are in none of the groups that may decide.';
  return exclusionProblem(request, approver, owner);
}

/** Why a person may not break the glass; undefined if they may. */
export function breakGlassProblem(
  { request, tenant }: Pick<Approval, 'request' | 'tenant'>,
  approver: ApproverIdentity,
  named: ReadonlySet<string>,
  owner: string | undefined,
): string | undefined {
  if ((approver.tenant ?? '') !== tenant) return 'It belongs to another tenant.';
  if (!named.has(approver.subject)) return 'You are not named for emergencies.';
  return exclusionProblem(request, approver, owner);
}

/** Why a person may not review an emergency; undefined if they may: whoever could have decided it, and did not. */
export function reviewProblem(
  approval: Pick<Approval, 'request' | 'tenant' | 'decisions'>,
  reviewer: ApproverIdentity,
  named: ReadonlySet<string>,
  owner: string | undefined,
): string | undefined {
  if (approval.decisions.some(({ verdict, approver }) => verdict === 'break_glass' && approver === reviewer.subject)) {
    return 'An emergency is reviewed by another person.';
  }
  const problem = decisionProblem(approval, reviewer, owner);
  return problem === undefined ? undefined : breakGlassProblem(approval, reviewer, named, owner) && problem;
}

function exclusionProblem(
  request: ApprovalRequest,
  { subject: id, groups }: ApproverIdentity,
  owner: string | undefined,
): string | undefined {
  // The owner may have changed since the question: neither the one nor the other decides.
  const known = [request.actor.owner, owner].filter((each) => each !== undefined);
  for (const each of known.length === 0 ? [undefined] : new Set(known)) {
    const actor = { id: request.actor.id, ...(each !== undefined && { owner: each }) };
    const problem = approverProblem({ ...request, actor }, { id, groups });
    if (problem !== undefined) return `${problem.charAt(0).toUpperCase()}${problem.slice(1)}.`;
  }
  return undefined;
}

/** Decisions of people who were not revoked since. */
export function counted({ decisions }: Pick<Approval, 'decisions'>): readonly Decision[] {
  return decisions.filter(({ revokedAt }) => revokedAt === undefined);
}

/** Denials that count. */
export function denialsOf(approval: Pick<Approval, 'decisions'>): readonly Decision[] {
  return counted(approval).filter(({ verdict }) => verdict === 'deny');
}

/** The people who are still missing. */
export function stillMissing({
  request,
  decisions,
}: Pick<Approval, 'request' | 'decisions'>): readonly ApprovalQuorum[] {
  const approved = counted({ decisions }).filter(({ verdict }) => verdict === 'approve');
  return missingApprovers(
    request,
    approved.map(({ approver, groups }) => ({ id: approver, groups })),
  );
}

/** Those whose consent an approval states. In an emergency one person decided, whoever approved before. */
export function consenting(approval: Approval): readonly Decision[] {
  return counted(approval).filter(({ verdict }) => verdict === (approval.brokeGlass ? 'break_glass' : 'approve'));
}

/** Whether people are missing: also in what was approved, if somebody was revoked since. */
export function lacksPeople(approval: Approval): boolean {
  return approval.brokeGlass ? consenting(approval).length === 0 : stillMissing(approval).length > 0;
}

/** What the agent is told of a denial. */
export function denialReason(approval: Approval): string | undefined {
  const reasons = denialsOf(approval).flatMap(({ reason }) => (reason === undefined ? [] : [reason]));
  return reasons.length === 0 ? undefined : reasons.join('\n');
}
