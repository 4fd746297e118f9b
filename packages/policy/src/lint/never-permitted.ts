import { Hierarchy } from '../cedar/index/hierarchy.js';
import type { Policy } from '../cedar/load/policy-set.js';
import type { Schema } from '../cedar/load/schema.js';
import type { AppliesTo } from '../cedar/load/schema-facts.js';
import { type Constraint, holds, uidOf } from '../cedar/index/scope.js';

/**
 * The actions of a schema that no permit can ever allow, by id. Considers only the scopes of the permits, not their
 * conditions.
 */
export function neverPermitted(policies: readonly Policy[], { askableActions, actionGroups }: Schema): string[] {
  const permits = policies.filter(({ effect }) => effect === 'permit');
  const hierarchy = new Hierarchy([], actionGroups);
  return [...askableActions].flatMap(([key, appliesTo]) => {
    const uid = uidOf(key);
    const action = hierarchy.entity(uid);
    const isPermitted = permits.some(({ scope }) => holds(scope.action, action) && fits(scope, appliesTo));
    return isPermitted ? [] : [uid.id];
  });
}

function fits({ principal, resource }: Policy['scope'], { principals, resources }: AppliesTo): boolean {
  return allowsOneOf(principal, principals) && allowsOneOf(resource, resources);
}

function allowsOneOf(constraint: Constraint, types: readonly string[]): boolean {
  const type = requiredType(constraint);
  return type === undefined || types.includes(type);
}

/** The type that a constraint requires; undefined if it names none. */
export function requiredType({ equals, is }: Constraint): string | undefined {
  return equals === undefined ? is : uidOf(equals).type;
}
