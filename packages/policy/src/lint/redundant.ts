import { conditionsOf } from '../cedar/text/conditions.js';
import type { Policy } from '../cedar/load/policy-set.js';
import { type Constraint, uidOf } from '../cedar/index/scope.js';
import type { ActionGroups } from '../cedar/index/hierarchy.js';
import { scopeCovers } from './covers.js';

/** A policy, and another that says at least as much: its scope is as wide, its conditions are some of the same. */
export interface Covered {
  readonly policy: Policy;
  readonly by: Policy;
  /** Each covers the other. */
  readonly same: boolean;
}

/**
 * Finds, for each policy, another that covers it: of the same effect, or for a permit a forbid. By the texts alone, so
 * that what is found is so, and some of what is so is not found. Looks only at policies filed under the same names.
 */
export function coveredPolicies(policies: readonly Policy[], groups: ActionGroups): Covered[] {
  const filed = new Map<string, Policy[]>();
  for (const policy of policies) {
    for (const key of filingKeys(policy)) {
      const others = filed.get(key);
      if (others === undefined) filed.set(key, [policy]);
      else others.push(policy);
    }
  }
  const conditions = new Map(policies.map((policy) => [policy, conditionKeys(policy)]));
  const coversAll = (outer: Policy, inner: Policy): boolean =>
    scopeCovers(outer.scope, inner.scope, groups) && isSubset(conditions.get(outer), conditions.get(inner));
  return policies.flatMap((policy) => {
    const others = new Set(searchKeys(policy, groups).flatMap((key) => filed.get(key) ?? []));
    others.delete(policy);
    const covering = [...others].filter((other) => coversAll(other, policy));
    const overruling = covering.find(({ effect }) => effect === 'forbid' && policy.effect === 'permit');
    const by = overruling ?? covering.find(({ effect }) => effect === policy.effect);
    return by === undefined ? [] : [{ policy, by, same: by.effect === policy.effect && coversAll(policy, by) }];
  });
}

function conditionKeys({ text }: Policy): ReadonlySet<string> {
  return new Set(conditionsOf(text).map((condition) => `${condition.clause} ${condition.text}`));
}

function isSubset(part: ReadonlySet<string> = new Set(), whole: ReadonlySet<string> = new Set()): boolean {
  return [...part].every((key) => whole.has(key));
}

/** What a policy is filed under, by principal and action: its resource is compared only. */
function filingKeys({ scope: { principal, action } }: Policy): string[] {
  return pairs(filedUnder(principal), filedUnder(action));
}

function filedUnder({ equals, in: groups, is }: Constraint): string[] {
  if (equals !== undefined) return [`=${equals}`];
  if (groups !== undefined) return groups.map((group) => `^${group}`);
  return [is === undefined ? '*' : `:${is}`];
}

/** What a policy that covers this one can be filed under. */
function searchKeys({ scope: { principal, action } }: Policy, groups: ActionGroups): string[] {
  return pairs(coveredUnder(principal, new Map()), coveredUnder(action, groups));
}

function coveredUnder({ equals, in: members, is }: Constraint, groups: ActionGroups): string[] {
  const reached = new Set(equals === undefined ? members : [equals]);
  for (const key of reached) for (const group of groups.get(key) ?? []) reached.add(group);
  const type = equals === undefined ? is : uidOf(equals).type;
  return [
    '*',
    ...(type === undefined ? [] : [`:${type}`]),
    ...(equals === undefined ? [] : [`=${equals}`]),
    ...[...reached].map((key) => `^${key}`),
  ];
}

function pairs(ones: readonly string[], others: readonly string[]): string[] {
  return ones.flatMap((one) => others.map((other) => `${one} ${other}`));
}
