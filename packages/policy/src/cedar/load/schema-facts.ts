import type { SchemaJson } from '@cedar-policy/cedar-wasm/nodejs';
import type { ActionGroups } from '../index/hierarchy.js';
import { entityKey } from '../index/scope.js';

/**
 * The groups of the actions of a schema. The schema must have resolved types: in unresolved JSON, `Action` within a
 * namespace may mean the namespace's own type, and the policies of such a group would be missing from decisions.
 */
export function actionGroupsOf(schema: SchemaJson<string>): ActionGroups {
  const direct = new Map<string, readonly string[]>();
  for (const [namespace, { actions }] of Object.entries(schema)) {
    const own = namespace === '' ? 'Action' : `${namespace}::Action`;
    for (const [id, { memberOf }] of Object.entries(actions)) {
      const groups = (memberOf ?? []).map((group) => entityKey({ type: group.type ?? own, id: group.id }));
      direct.set(entityKey({ type: own, id }), groups);
    }
  }
  return direct;
}

/** Entity types with a fixed list of ids. */
export function enumeratedTypesOf(schema: SchemaJson<string>): ReadonlySet<string> {
  return new Set(
    Object.entries(schema).flatMap(([namespace, { entityTypes }]) =>
      Object.entries(entityTypes)
        .filter(([, type]) => 'enum' in type)
        .map(([name]) => (namespace === '' ? name : `${namespace}::${name}`)),
    ),
  );
}

/** The principal and resource types of an action. */
export interface AppliesTo {
  readonly principals: readonly string[];
  readonly resources: readonly string[];
}

/** The actions that a guard can query, by key: those outside any namespace that apply to some type. */
export function askableActionsOf(schema: SchemaJson<string>): ReadonlyMap<string, AppliesTo> {
  const found = new Map<string, AppliesTo>();
  for (const [id, { appliesTo }] of Object.entries(schema['']?.actions ?? {})) {
    if (appliesTo === undefined) continue;
    const { principalTypes: principals, resourceTypes: resources } = appliesTo;
    if (principals.length > 0 && resources.length > 0)
      found.set(entityKey({ type: 'Action', id }), { principals, resources });
  }
  return found;
}
