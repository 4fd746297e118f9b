import type { Reading } from '@countersign/common';
import { isIdentifier } from '@countersign/delegation';
import { Members, reading } from './members.js';

/** What a policy demands before it permits: who must consent, and within which time. */
export interface ApprovalRequirement {
  /** All must be met. A person who is in the groups of several counts for each of them. */
  readonly quorums: readonly ApprovalQuorum[];
  /** How long after the decision the approval may be used. */
  readonly useWithinSeconds: number;
  /** How long after the question people may decide. */
  readonly decideWithinSeconds: number;
  /** `required`: each approver says why. */
  readonly reason: 'optional' | 'required';
  /** Who may not approve, although it is in a group. Agents in the chain never may. */
  readonly excluded: readonly ApprovalExclusion[];
}

/** So many different people, each in at least one of the groups. */
export interface ApprovalQuorum {
  readonly groups: readonly string[];
  readonly count: number;
}

/** `subject`: on whose behalf the agent acts. `owner`: who answers for the agent, a person or a group. */
export type ApprovalExclusion = 'subject' | 'owner';

export const approvalExclusions: readonly ApprovalExclusion[] = ['subject', 'owner'];

/** What a policy may demand at most, and what it demands unless it says otherwise. */
export const approvalLimits = {
  useWithinSeconds: { byDefault: 600, most: 86_400 },
  decideWithinSeconds: { byDefault: 86_400, most: 2_592_000 },
  /** Different people of one quorum. */
  count: { byDefault: 1, most: 10 },
  groups: 16,
  quorums: 8,
} as const;

/** Reads a requirement as it was sent. */
export function readRequirement(value: unknown): Reading<ApprovalRequirement> {
  return reading(() => requirementIn(value, 'requirement'));
}

export function requirementIn(value: unknown, where: string): ApprovalRequirement {
  const members = new Members(value, where);
  const { useWithinSeconds, decideWithinSeconds, quorums } = approvalLimits;
  const requirement: ApprovalRequirement = {
    quorums: members.list('quorums', 1, quorums, quorumIn),
    useWithinSeconds: members.integer('useWithinSeconds', 1, useWithinSeconds.most),
    decideWithinSeconds: members.integer('decideWithinSeconds', 1, decideWithinSeconds.most),
    reason: members.oneOf('reason', ['optional', 'required']),
    excluded: members.list('excluded', 0, approvalExclusions.length, exclusionIn),
  };
  members.end();
  return requirement;
}

function quorumIn(value: unknown, where: string): ApprovalQuorum {
  const members = new Members(value, where);
  const quorum = {
    groups: members.texts('groups', approvalLimits.groups, isIdentifier),
    count: members.integer('count', 1, approvalLimits.count.most),
  };
  if (quorum.groups.length === 0) throw members.wrong('groups');
  members.end();
  return quorum;
}

function exclusionIn(value: unknown, where: string): ApprovalExclusion {
  return new Members({ value }, where).oneOf('value', approvalExclusions);
}

/**
 * What several policies demand together: every quorum of each, and of the rest the strictest. A permit for everybody
 * can so never lower what a permit for few demands.
 */
export function joinRequirements(
  first: ApprovalRequirement,
  ...others: readonly ApprovalRequirement[]
): ApprovalRequirement {
  if (others.length === 0) return first;
  const all = [first, ...others];
  const quorums = new Map(all.flatMap((each) => each.quorums).map((quorum) => [JSON.stringify(quorum), quorum]));
  return {
    quorums: [...quorums.values()],
    useWithinSeconds: Math.min(...all.map((each) => each.useWithinSeconds)),
    decideWithinSeconds: Math.min(...all.map((each) => each.decideWithinSeconds)),
    reason: all.some(({ reason }) => reason === 'required') ? 'required' : 'optional',
    excluded: approvalExclusions.filter((each) => all.some(({ excluded }) => excluded.includes(each))),
  };
}

/** The same text for requirements that demand the same, in whatever order they name it. */
export function requirementKey({
  quorums,
  useWithinSeconds,
  decideWithinSeconds,
  reason,
  excluded,
}: ApprovalRequirement): string {
  const people = quorums.map(({ groups, count }) => JSON.stringify([count, ...groups.toSorted()]));
  return JSON.stringify([people.toSorted(), useWithinSeconds, decideWithinSeconds, reason, excluded.toSorted()]);
}

/** One line for people, like "2 of release-managers, each with a reason, decided within 86400 s, used within 600 s". */
export function requirementText({
  quorums,
  useWithinSeconds,
  decideWithinSeconds,
  reason,
  excluded,
}: ApprovalRequirement): string {
  return [
    quorums.map(({ groups, count }) => `${count} of ${groups.join(' or ')}`).join(' and '),
    ...(reason === 'required' ? ['each with a reason'] : []),
    ...(excluded.length === 0 ? [] : [`not the ${excluded.join(' or the ')}`]),
    `decided within ${decideWithinSeconds} s`,
    `used within ${useWithinSeconds} s`,
  ].join(', ');
}
