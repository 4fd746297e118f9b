import { conditionsOf } from '../cedar/text/conditions.js';
import type { Policy } from '../cedar/load/policy-set.js';
import { type Constraint, uidOf } from '../cedar/index/scope.js';
import type { ActionGroups } from '../cedar/index/hierarchy.js';
import { scopeCovers } from './covers.js';

/** A policy and another that covers it: with a scope at least as wide, and a subset of its conditions. */
export interface Covered {
  readonly policy: Policy;
  readonly by: Policy;
  /** Each covers the other. */
  readonly same: boolean;
}

/** Which policies cover each other. */
export interface Coverage {
  readonly covers: (outer: Policy, inner: Policy) => boolean;
  /** The others that cover a policy: they apply wherever it does. */
  readonly covering: (policy: Policy) => readonly Policy[];
}

/**
 * Compares texts only: there are no false positives, but equivalent conditions in other words are missed. An index limits
 * the comparisons to policies that share a key.
 */
export function coverageOf(policies: readonly Policy[], groups: ActionGroups): Coverage {
  const index = new Map<string, Policy[]>();
  for (const policy of policies) {
    for (const key of indexKeys(policy)) {
      const others = index.get(key);
      if (others === undefined) index.set(key, [policy]);
      else others.push(policy);
    }
  }
  const conditions = new Map(policies.map((policy) => [policy, conditionKeys(policy)]));
  const covers = (outer: Policy, inner: Policy): boolean =>
    scopeCovers(outer.scope, inner.scope, groups) && isSubset(conditions.get(outer), conditions.get(inner));
  return {
    covers,
    covering: (policy) => {
      const others = new Set(searchKeys(policy, groups).flatMap((key) => index.get(key) ?? []));
      others.delete(policy);
      return [...others].filter((other) => covers(other, policy));
    },
  };
}

/** Finds, for each policy, another that covers it: one of the same effect, or a forbid that covers a permit. */
export function coveredPolicies(policies: readonly Policy[], { covers, covering: coveringOf }: Coverage): Covered[] {
  return policies.flatMap((policy) => {
    // One that ends does not replace one that stays.
    const covering = coveringOf(policy).filter(({ expiresAt = policy.expiresAt }) => expiresAt === policy.expiresAt);
    const overriding = covering.find(({ effect }) => effect === 'forbid' && policy.effect === 'permit');
    const alike = covering.filter(({ effect }) => effect === policy.effect);
    // One that asks for no approval outweighs all that ask.
    const by = overriding ?? alike.find(({ approval }) => approval === undefined) ?? alike[0];
    return by === undefined ? [] : [{ policy, by, same: by.effect === policy.effect && covers(policy, by) }];
  });
}

function conditionKeys({ text }: Policy): ReadonlySet<string> {
  return new Set(conditionsOf(text).map((condition) => `${condition.clause} ${condition.text}`));
}

function isSubset(part: ReadonlySet<string> = new Set(), whole: ReadonlySet<string> = new Set()): boolean {
  return [...part].every((key) => whole.has(key));
}

/** The keys of a policy in the index, by principal and action. Resources are only compared. */
function indexKeys({ scope: { principal, action } }: Policy): string[] {
  return pairs(keysOf(principal), keysOf(action));
}

function keysOf({ equals, in: groups, is }: Constraint): string[] {
  if (equals !== undefined) return [`=${equals}`];
  if (groups !== undefined) return groups.map((group) => `^${group}`);
  return [is === undefined ? '*' : `:${is}`];
}

/** The keys that a covering policy can have. */
function searchKeys({ scope: { principal, action } }: Policy, groups: ActionGroups): string[] {
  return pairs(coveringKeys(principal, new Map()), coveringKeys(action, groups));
}

function coveringKeys({ equals, in: members, is }: Constraint, groups: ActionGroups): string[] {
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
