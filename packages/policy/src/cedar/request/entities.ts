import type { CedarValueJson, EntityJson, EntityUidJson, TypeAndId } from '@cedar-policy/cedar-wasm/nodejs';
import { keyFromJson } from '../index/scope.js';

/** An entity whose uid has the plain `{ type, id }` form. */
export type PlainEntity = EntityJson & { readonly uid: TypeAndId };

/** Entities that are loaded with the policies, such as the parents of a role, by key. */
export type KnownEntities = ReadonlyMap<string, PlainEntity>;

/** Adds the known entities that are reachable from `entities` and from the keys in `from`. */
export function addReachable(entities: EntityJson[], from: Iterable<string>, known: KnownEntities): void {
  if (known.size === 0) return;
  const present = new Set(entities.map(({ uid }) => keyFromJson(uid)));
  const pending = new Set([...from, ...entities.flatMap(({ parents }) => parents.map(keyFromJson))]);
  for (const key of pending) {
    const entity = known.get(key);
    if (entity === undefined || present.has(key)) continue;
    entities.push(entity);
    for (const parent of entity.parents) pending.add(keyFromJson(parent));
  }
}

/** The entity uids within a value. */
export function entitiesIn(value: CedarValueJson, found: EntityUidJson[] = []): EntityUidJson[] {
  if (typeof value !== 'object' || value === null) return found;
  if ('__entity' in value) found.push(value as EntityUidJson);
  else for (const member of Object.values(value)) entitiesIn(member, found);
  return found;
}
