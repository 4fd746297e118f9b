import { Hierarchy } from '../cedar/index/hierarchy.js';
import type { Policy } from '../cedar/load/policy-set.js';
import type { Schema } from '../cedar/load/schema.js';
import type { AppliesTo } from '../cedar/load/schema-facts.js';
import { type Constraint, holds, uidOf } from '../cedar/index/scope.js';

/**
 * The actions of a schema that no permit can ever allow, by id. Goes by the scopes of the permits, and so leaves out what
 * only their conditions rule out.
 */
export function neverPermitted(policies: readonly Policy[], { askableActions, actionGroups }: Schema): string[] {
  const permits = policies.filter(({ effect }) => effect === 'permit');
  const hierarchy = new Hierarchy([], actionGroups);
  return [...askableActions].flatMap(([key, appliesTo]) => {
    const uid = uidOf(key);
    const action = hierarchy.place(uid);
    const isPermitted = permits.some(({ scope }) => holds(scope.action, action) && fits(scope, appliesTo));
    return isPermitted ? [] : [uid.id];
  });
}

function fits({ principal, resource }: Policy['scope'], { principals, resources }: AppliesTo): boolean {
  return isOneOf(principal, principals) && isOneOf(resource, resources);
}

function isOneOf(constraint: Constraint, types: readonly string[]): boolean {
  const type = typeAskedFor(constraint);
  return type === undefined || types.includes(type);
}

/** The only type that a constraint can hold for; undefined if it names none. */
export function typeAskedFor({ equals, is }: Constraint): string | undefined {
  return equals === undefined ? is : uidOf(equals).type;
}
