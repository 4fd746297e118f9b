import { checkOptionNames, guardMaxima, numberOption } from '@countersign/common';
import type { ApprovalClaims, Approver } from './claims.js';
import { breakGlassSeconds } from './claims.js';
import { approvalBinding, type ApprovalRequest } from './request.js';
import type { ApprovalQuorum } from './requirement.js';

/** Why an approval does not count. */
export interface ApprovalProblem {
  /** `mismatch`: it is for another request. `expired`: its time is over. `invalid`: it should not exist. */
  readonly kind: 'mismatch' | 'expired' | 'invalid';
  readonly detail: string;
}

export interface ApprovalCheckOptions {
  /** Unix seconds. */
  readonly now: number;
  /** How far the clock of the authority may be from ours. */
  readonly clockSkewSeconds: number;
  /** Who may approve alone in an emergency. Default: nobody. */
  readonly breakGlass?: readonly string[];
  /** What the ids of people at the authority begin with here. Default: empty. */
  readonly namespace?: string;
  /** The groups for which people of the authority count here. Default: all. */
  readonly groups?: readonly string[];
}

const optionNames = [
  'now',
  'clockSkewSeconds',
  'breakGlass',
  'namespace',
  'groups',
] as const satisfies readonly (keyof ApprovalCheckOptions)[];
const latestSeconds = 1e11;

/**
 * Checks an approval, whose signature has verified, against the request that is to run now: that very request, in time,
 * by people who may, and enough of them. Undefined: it counts, once.
 *
 * @throws ConfigError if an option is wrong: misspelt `groups` would admit all groups.
 */
export function checkApproval(
  claims: ApprovalClaims,
  request: ApprovalRequest,
  options: ApprovalCheckOptions,
): ApprovalProblem | undefined {
  checkOptionNames('checkApproval', options, optionNames);
  const { clockSkewSeconds: most } = guardMaxima;
  const { breakGlass = [], namespace = '', groups } = options;
  const now = numberOption('checkApproval', 'now', options.now, 0, latestSeconds);
  const clockSkewSeconds = numberOption('checkApproval', 'clockSkewSeconds', options.clockSkewSeconds, 0, most);
  const { audience, binding, askedAt, issuedAt, expiresAt, approvers } = claims;
  if (!audience.includes(request.audience)) return invalid('it is for another API');
  if (binding !== approvalBinding(request)) {
    return { kind: 'mismatch', detail: 'it is for another request, or for other policies' };
  }
  if (issuedAt > now + clockSkewSeconds) return invalid('it is from the future');
  if (expiresAt + clockSkewSeconds <= now) return { kind: 'expired', detail: 'it has expired' };
  const { useWithinSeconds, decideWithinSeconds, reason } = request.requirement;
  if (expiresAt - issuedAt > useWithinSeconds) return invalid('it counts longer than policy allows');
  if (issuedAt < askedAt || issuedAt - askedAt > decideWithinSeconds) return invalid('it was decided too late');
  for (const approver of approvers) {
    const { decidedAt } = approver;
    if (decidedAt < askedAt || decidedAt > issuedAt) return invalid('an approver decided at another time');
    const problem = approverProblem(request, approver, namespace);
    if (problem !== undefined) return invalid(problem);
    if ((reason === 'required' || claims.breakGlass) && approver.reason === undefined) {
      return invalid('an approver gave no reason');
    }
  }
  if (claims.breakGlass) {
    return mayApprove(groups, request)
      ? breakGlassProblem(claims, breakGlass, namespace)
      : invalid('its authority may not approve this, also not by break-glass');
  }
  return quorumProblem(request, groups === undefined ? approvers : approvers.map((one) => within(groups, one)));
}

/** Whether people of these groups can give all that a request demands. Undefined: of all groups. */
export function mayApprove(own: readonly string[] | undefined, { requirement }: ApprovalRequest): boolean {
  return own === undefined || requirement.quorums.every(({ groups }) => groups.some((group) => own.includes(group)));
}

/**
 * Why a person may not decide about a request, whatever the groups; undefined if nothing is against it. An authority asks
 * it before it shows its buttons, and the guard again.
 */
export function approverProblem(
  { actor, subject, chain, requirement }: ApprovalRequest,
  { id, groups }: Pick<Approver, 'id' | 'groups'>,
  namespace = '',
): string | undefined {
  const ids = [id, namespace + id];
  // The last hop is the actor.
  const agents = [...chain.slice(0, -1).filter(({ type }) => type === 'agent'), actor];
  if (agents.some((agent) => ids.includes(agent.id))) return 'an agent of the request cannot approve it';
  const { excluded } = requirement;
  if (excluded.includes('subject') && ids.includes(subject.id)) return 'the subject may not approve this';
  if (!excluded.includes('owner')) return undefined;
  const owners = agents.map(({ owner }) => owner);
  if (owners.includes(undefined)) return 'nobody knows the owner of each agent, who may not approve this';
  if ([...ids, ...groups].some((name) => owners.includes(name))) return 'the owner of an agent may not approve this';
  return undefined;
}

/** The quorums that are not met yet, each with the number of people that it lacks. */
export function missingApprovers(
  { requirement }: ApprovalRequest,
  approvers: readonly Pick<Approver, 'id' | 'groups'>[],
): readonly ApprovalQuorum[] {
  return requirement.quorums.flatMap(({ groups, count }) => {
    const entitled = approvers.filter((approver) => approver.groups.some((group) => groups.includes(group)));
    const missing = count - new Set(entitled.map(({ id }) => id)).size;
    return missing > 0 ? [{ groups, count: missing }] : [];
  });
}

/** Other groups count only against an approver, as the owner of the agent. */
function within(groups: readonly string[], approver: Approver): Approver {
  return { ...approver, groups: approver.groups.filter((group) => groups.includes(group)) };
}

function quorumProblem(request: ApprovalRequest, approvers: readonly Approver[]): ApprovalProblem | undefined {
  const [missing] = missingApprovers(request, approvers);
  return missing && invalid(`it lacks ${missing.count} of ${missing.groups.join(' or ')}`);
}

function breakGlassProblem(
  { approvers, issuedAt, expiresAt }: ApprovalClaims,
  named: readonly string[],
  namespace: string,
): ApprovalProblem | undefined {
  if (!approvers.every(({ id }) => named.includes(namespace + id))) {
    return invalid('its approver is not named for break-glass here');
  }
  return expiresAt - issuedAt > breakGlassSeconds
    ? invalid('a break-glass approval counts longer than it may')
    : undefined;
}

function invalid(detail: string): ApprovalProblem {
  return { kind: 'invalid', detail };
}
