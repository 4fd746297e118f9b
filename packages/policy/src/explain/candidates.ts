import type { PlacedRequest } from '../cedar/index/policy-index.js';
import type { Policy } from '../cedar/load/policy-set.js';
import { type Constraint, holds } from '../cedar/index/scope.js';
import type { UnmetCondition } from '../explanation.js';

/** A permit, and what of its head does not hold. */
export interface Candidate {
  readonly policy: Policy;
  readonly unmet: readonly UnmetCondition[];
}

/** The permits whose heads come nearest to a request, nearest first: those of another action come after all others. */
export function candidatesFor(policies: readonly Policy[], placed: PlacedRequest, limit: number): Candidate[] {
  const byDistance: Policy[][] = [];
  for (const policy of policies) {
    if (policy.effect !== 'permit') continue;
    const distance = distanceOf(policy, placed);
    const group = (byDistance[distance] ??= []);
    if (group.length < limit) group.push(policy);
  }
  return byDistance
    .flat()
    .slice(0, limit)
    .map((policy) => ({ policy, unmet: unmetHead(policy, placed) }));
}

function distanceOf({ scope }: Policy, { principal, action, resource }: PlacedRequest): number {
  return (
    Number(!holds(scope.principal, principal)) +
    Number(!holds(scope.resource, resource)) +
    3 * Number(!holds(scope.action, action))
  );
}

function unmetHead({ scope, line }: Policy, placed: PlacedRequest): UnmetCondition[] {
  const parts = [
    ['actor', 'principal'],
    ['action', 'action'],
    ['resource', 'resource'],
  ] as const;
  return parts
    .filter(([, variable]) => !holds(scope[variable], placed[variable]))
    .map(([about, variable]) => ({ about, clause: 'head', text: constraintText(variable, scope[variable]), line }));
}

function constraintText(variable: string, { equals, is, in: groups }: Constraint): string {
  if (equals !== undefined) return `${variable} == ${equals}`;
  const type = is === undefined ? '' : ` is ${is}`;
  if (groups === undefined) return `${variable}${type}`;
  return `${variable}${type} in ${groups.length === 1 ? groups[0] : `[${groups.join(', ')}]`}`;
}
