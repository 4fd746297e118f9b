import { ANYTHING, type Constraint, type PolicyScope, uidOf } from '../cedar/index/scope.js';
import type { ActionGroups } from '../cedar/index/hierarchy.js';

/** Whether the outer scope holds for every request for which the inner one holds, as far as the texts show. */
export function scopeCovers(outer: PolicyScope, inner: PolicyScope, groups: ActionGroups): boolean {
  return (
    constraintCovers(outer.principal, inner.principal, new Map()) &&
    constraintCovers(outer.action, inner.action, groups) &&
    constraintCovers(outer.resource, inner.resource, new Map())
  );
}

function constraintCovers(outer: Constraint, inner: Constraint, groups: ActionGroups): boolean {
  return (
    covers(outer.equals, inner, equalsCovers) && covers(outer.is, inner, isCovers) && inCovers(outer, inner, groups)
  );
}

function covers(
  required: string | undefined,
  inner: Constraint,
  rule: (required: string, inner: Constraint) => boolean,
): boolean {
  return required === undefined || rule(required, inner);
}

function equalsCovers(key: string, inner: Constraint): boolean {
  return inner.equals === key;
}

function isCovers(type: string, { is, equals }: Constraint): boolean {
  return is === type || (equals !== undefined && uidOf(equals).type === type);
}

function inCovers({ in: outer }: Constraint, { equals, in: inner }: Constraint, groups: ActionGroups): boolean {
  if (outer === undefined) return true;
  const members = equals === undefined ? inner : [equals];
  return members?.every((member) => isIn(member, outer, groups)) ?? false;
}

function isIn(member: string, wanted: readonly string[], groups: ActionGroups): boolean {
  const reached = new Set([member]);
  // A set iterates over members that are added during the iteration.
  for (const key of reached) for (const group of groups.get(key) ?? []) reached.add(group);
  return wanted.some((group) => reached.has(group));
}

export function isAnything({ principal, action, resource }: PolicyScope): boolean {
  return [principal, action, resource].every((constraint) => isUnconstrained(constraint));
}

function isUnconstrained({ equals, is, in: groups }: Constraint = ANYTHING): boolean {
  return equals === undefined && is === undefined && groups === undefined;
}
