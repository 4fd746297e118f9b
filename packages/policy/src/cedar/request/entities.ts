import type { CedarValueJson, EntityJson, EntityUidJson, TypeAndId } from '@cedar-policy/cedar-wasm/nodejs';
import { keyFromJson } from '../index/scope.js';

/** An entity whose uid is in the one form that we build. */
export type OurEntity = EntityJson & { readonly uid: TypeAndId };

/** Entities that stand beside the policies, such as the roles that a role is in, by key. */
export type KnownEntities = ReadonlyMap<string, OurEntity>;

/** Adds the known entities that can be reached from the given ones, whether they are known or not. */
export function addReachable(entities: EntityJson[], from: Iterable<string>, known: KnownEntities): void {
  if (known.size === 0) return;
  const present = new Set(entities.map(({ uid }) => keyFromJson(uid)));
  const open = new Set([...from, ...entities.flatMap(({ parents }) => parents.map(keyFromJson))]);
  for (const key of open) {
    const entity = known.get(key);
    if (entity === undefined || present.has(key)) continue;
    entities.push(entity);
    for (const parent of entity.parents) open.add(keyFromJson(parent));
  }
}

/** The entities that a value holds. */
export function entitiesIn(value: CedarValueJson, found: EntityUidJson[] = []): EntityUidJson[] {
  if (typeof value !== 'object' || value === null) return found;
  if ('__entity' in value) found.push(value as EntityUidJson);
  else for (const member of Object.values(value)) entitiesIn(member, found);
  return found;
}
