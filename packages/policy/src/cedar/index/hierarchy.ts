import type { EntityJson, TypeAndId } from '@cedar-policy/cedar-wasm/nodejs';
import type { ResolvedRequest } from './policy-index.js';
import { entityKey, keyFromJson, type ResolvedEntity } from './scope.js';

/** The direct groups of each action, by key. */
export type ActionGroups = ReadonlyMap<string, readonly string[]>;

/**
 * Resolves ancestors from the entities of a request and, for an action, from the schema. A parent counts even if it has
 * no record of its own.
 */
export class Hierarchy {
  readonly #parents = new Map<string, readonly string[]>();
  readonly #actionGroups: ActionGroups;

  constructor(entities: readonly EntityJson[], actionGroups: ActionGroups) {
    for (const { uid, parents } of entities) this.#parents.set(keyFromJson(uid), parents.map(keyFromJson));
    this.#actionGroups = actionGroups;
  }

  resolve({ principal, action, resource }: Readonly<Record<keyof ResolvedRequest, TypeAndId>>): ResolvedRequest {
    return { principal: this.entity(principal), action: this.entity(action), resource: this.entity(resource) };
  }

  entity(uid: TypeAndId): ResolvedEntity {
    const key = entityKey(uid);
    const ancestors = new Set([key]);
    // A set iterates over members that are added during the iteration.
    for (const ancestor of ancestors) {
      for (const parent of this.#parents.get(ancestor) ?? []) ancestors.add(parent);
      for (const group of this.#actionGroups.get(ancestor) ?? []) ancestors.add(group);
    }
    return { key, type: uid.type, ancestors };
  }

  /** The first entity that is its own ancestor. Cedar refuses a cycle only if it receives the parents. */
  firstInCycle(entities: readonly ResolvedEntity[]): ResolvedEntity | undefined {
    return entities.find(({ key, ancestors }) =>
      [...ancestors].some((ancestor) => this.#parents.get(ancestor)?.includes(key)),
    );
  }
}
