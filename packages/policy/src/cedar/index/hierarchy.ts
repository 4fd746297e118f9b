import type { EntityJson, TypeAndId } from '@cedar-policy/cedar-wasm/nodejs';
import { entityKey, keyFromJson, type PlacedEntity } from './scope.js';

/** By action: the groups that it is in directly. */
export type ActionGroups = ReadonlyMap<string, readonly string[]>;

/**
 * Finds what an entity is in: by the entities of the request, and an action by the schema too. A parent of which no
 * more is said counts all the same.
 */
export class Hierarchy {
  readonly #parents = new Map<string, readonly string[]>();
  readonly #actionGroups: ActionGroups;

  constructor(entities: readonly EntityJson[], actionGroups: ActionGroups) {
    for (const { uid, parents } of entities) this.#parents.set(keyFromJson(uid), parents.map(keyFromJson));
    this.#actionGroups = actionGroups;
  }

  place(uid: TypeAndId): PlacedEntity {
    const key = entityKey(uid);
    const ancestors = new Set([key]);
    // A set yields what is added while it is walked.
    for (const ancestor of ancestors) {
      for (const parent of this.#parents.get(ancestor) ?? []) ancestors.add(parent);
      for (const group of this.#actionGroups.get(ancestor) ?? []) ancestors.add(group);
    }
    return { key, type: uid.type, ancestors };
  }
  /** The first entity that is in itself. Cedar refuses that, but only where it is sent the parents. */
  circular(entities: readonly PlacedEntity[]): PlacedEntity | undefined {
    return entities.find(({ key, ancestors }) =>
      [...ancestors].some((ancestor) => this.#parents.get(ancestor)?.includes(key)),
    );
  }
}
