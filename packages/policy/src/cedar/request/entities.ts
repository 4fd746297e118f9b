import type { CedarValueJson, EntityJson, EntityUidJson, TypeAndId } from '@cedar-policy/cedar-wasm/nodejs';
import { keyFromJson } from '../index/scope.js';

/** An entity whose uid has the plain `{ type, id }` form. */
export type PlainEntity = EntityJson & { readonly uid: TypeAndId };

/** Entities that are loaded with the policies, such as the parents of a role, by key. */
export type KnownEntities = ReadonlyMap<string, PlainEntity>;

/**
 * Adds the known entities that are reachable from `entities` and from the keys in `from`: by parents, and by attributes.
 * A condition may ask `resource.owner in Group::"banned"`: without the owner's parents, a forbid would not apply.
 */
export function addReachable(entities: EntityJson[], from: Iterable<string>, known: KnownEntities): void {
  if (known.size === 0) return;
  const present = new Set(entities.map(({ uid }) => keyFromJson(uid)));
  const pending = new Set([...from, ...entities.flatMap(linksOf)]);
  for (const key of pending) {
    const entity = known.get(key);
    if (entity === undefined || present.has(key)) continue;
    entities.push(entity);
    for (const link of linksOf(entity)) pending.add(link);
  }
}

/** The keys of these entities, and of all that the known ones among them are in. */
export function reachableFrom(uids: readonly EntityUidJson[], known: KnownEntities): ReadonlySet<string> {
  const reached = new Set(uids.map(keyFromJson));
  for (const key of reached) {
    const entity = known.get(key);
    for (const parent of entity?.parents ?? []) reached.add(keyFromJson(parent));
  }
  return reached;
}

function linksOf({ parents, attrs }: EntityJson): string[] {
  return [...parents, ...referencesIn(attrs)].map(keyFromJson);
}

/** What a value may name as entities: `{ type, id }` is one where the schema says so, else a record. */
export function referencesIn(value: CedarValueJson): TypeAndId[] {
  if (typeof value !== 'object' || value === null) return [];
  const inside = Object.values(value).flatMap((member) => referencesIn(member));
  const { type, id } = value as Readonly<Record<string, CedarValueJson>>;
  return typeof type === 'string' && typeof id === 'string' ? [{ type, id }, ...inside] : inside;
}

/** The entity uids within a value. */
export function entitiesIn(value: CedarValueJson, found: EntityUidJson[] = []): EntityUidJson[] {
  if (typeof value !== 'object' || value === null) return found;
  if ('__entity' in value) found.push(value as EntityUidJson);
  else for (const member of Object.values(value)) entitiesIn(member, found);
  return found;
}
