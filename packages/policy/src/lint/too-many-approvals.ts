import { approvalLimits } from '@countersign/approval';
import { approvalFor } from '../cedar/evaluate/evaluation.js';
import type { Policy } from '../cedar/load/policy-set.js';
import type { Coverage } from './redundant.js';

/** A permit that fails: wherever it applies, the permits ask for more approvals than one request can have. */
export interface TooManyApprovals {
  readonly policy: Policy;
  readonly quorums: number;
}

/** Finds them as far as scopes and conditions show. Of permits that cover each other only the last is reported. */
export function tooManyApprovals(
  policies: readonly Policy[],
  { covers, covering }: Coverage,
  clock: () => number,
): TooManyApprovals[] {
  const now = clock() / 1000;
  const inForce = ({ effect, expiresAt }: Policy): boolean => effect === 'permit' && (expiresAt ?? Infinity) > now;
  const asking = policies.filter((policy) => policy.approval !== undefined && inForce(policy));
  if (quorumsOf(asking) <= approvalLimits.quorums) return [];
  const places = new Map(asking.map((policy, index) => [policy, index]));
  return asking.flatMap((policy, index) => {
    const together = [policy, ...covering(policy).filter(inForce)];
    const quorums = quorumsOf(together);
    if (quorums <= approvalLimits.quorums) return [];
    const isLast = !together.some((other) => (places.get(other) ?? 0) > index && covers(policy, other));
    return isLast ? [{ policy, quorums }] : [];
  });
}

/** None, if one of the permits asks nobody. */
function quorumsOf(permits: readonly Policy[]): number {
  return approvalFor(permits.map(({ approval }) => approval))?.quorums.length ?? 0;
}
