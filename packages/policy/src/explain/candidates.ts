import type { ResolvedRequest } from '../cedar/index/policy-index.js';
import type { Policy } from '../cedar/load/policy-set.js';
import { type Constraint, holds } from '../cedar/index/scope.js';
import type { UnmetCondition } from '../explanation.js';

/** A permit, and the constraints of its scope that do not hold. */
export interface Candidate {
  readonly policy: Policy;
  readonly unmet: readonly UnmetCondition[];
}

/** The permits whose scopes come nearest to a request, nearest first. Permits for another action come last. */
export function candidatesFor(policies: readonly Policy[], resolved: ResolvedRequest, limit: number): Candidate[] {
  const byDistance: Policy[][] = [];
  for (const policy of policies) {
    if (policy.effect !== 'permit') continue;
    const distance = distanceOf(policy, resolved);
    const group = (byDistance[distance] ??= []);
    if (group.length < limit) group.push(policy);
  }
  return byDistance
    .flat()
    .slice(0, limit)
    .map((policy) => ({ policy, unmet: unmetScope(policy, resolved) }));
}

function distanceOf({ scope }: Policy, { principal, action, resource }: ResolvedRequest): number {
  return (
    Number(!holds(scope.principal, principal)) +
    Number(!holds(scope.resource, resource)) +
    3 * Number(!holds(scope.action, action))
  );
}

function unmetScope({ scope, line }: Policy, resolved: ResolvedRequest): UnmetCondition[] {
  const parts = [
    ['actor', 'principal'],
    ['action', 'action'],
    ['resource', 'resource'],
  ] as const;
  return parts
    .filter(([, variable]) => !holds(scope[variable], resolved[variable]))
    .map(([about, variable]) => ({ about, clause: 'head', text: constraintText(variable, scope[variable]), line }));
}

function constraintText(variable: string, { equals, is, in: groups }: Constraint): string {
  if (equals !== undefined) return `${variable} == ${equals}`;
  const type = is === undefined ? '' : ` is ${is}`;
  if (groups === undefined) return `${variable}${type}`;
  return `${variable}${type} in ${groups.length === 1 ? groups[0] : `[${groups.join(', ')}]`}`;
}
