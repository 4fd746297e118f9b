import { type Refusal, refusal } from '../../model/refusal.js';
import { isDeepStrictEqual } from 'node:util';
import {
  type Awaitable,
  containRejections,
  isA,
  kindOf,
  errorMessage,
  quoteForLog,
  withTimeout,
} from '@countersign/common';
import { IncompleteResource, isResource, refuseUnknownMembers, type Resource } from '@countersign/policy';

/**
 * What the application knows of a resource: its attributes, and all that it is in, also indirectly; nothing if `parents` is
 * missing. Undefined: there is no such resource. For types of which it keeps nothing it gives `{}`.
 */
export type EntityProvider = (resource: {
  readonly type: string;
  readonly id: string;
}) => EntityRecord | undefined | Promise<EntityRecord | undefined>;

export type EntityRecord = Pick<Resource, 'attributes' | 'parents'>;

export interface EntityResolverParts {
  readonly entities: EntityProvider | undefined;
  readonly lookupTimeoutSeconds: number;
}

/** The resource as policy is asked about it, or why it cannot be. */
export type Resolved = { readonly resource: Resource } | { readonly refused: Refusal };

/**
 * Completes a resource that was named without attributes, without parents, or without both: a forbid may stand on what is
 * missing. Looks anew for each decision, as at all else that it rests on, and once for each resource of a list: `looked` has
 * the lookups of its decision. Never rejects.
 */
export function createEntityResolver({
  entities,
  lookupTimeoutSeconds,
}: EntityResolverParts): (resource: Resource, looked: Map<string, Promise<Resolved>>) => Awaitable<Resolved> {
  async function lookUp(provider: EntityProvider, { type, id }: Resource): Promise<Resolved> {
    try {
      const looking = Promise.resolve(provider({ type, id }));
      const found = await withTimeout(lookupTimeoutSeconds * 1000, looking, () => timedOut);
      if (found === timedOut) return { refused: refusal('policy_unavailable', 'entities() took too long') };
      // To a client, absent and forbidden look alike.
      if (found === undefined) return { refused: refusal('policy_denied', 'there is no such resource') };
      return { resource: { type, id, ...recordOf(found) } };
    } catch (error) {
      // What others' errors say may quote the request, so that it stays out of the audit log.
      const detail = isA(error, IncompleteResource) ? error.message : kindOf(error);
      return { refused: unusable({ type, id }, detail, errorMessage(error)) };
    }
  }

  return (resource, looked) => {
    const { type, id, attributes, parents } = resource;
    if (entities === undefined || (attributes !== undefined && parents !== undefined)) return { resource };
    const name = JSON.stringify([type, id]);
    const looking = looked.get(name) ?? lookUp(entities, resource);
    looked.set(name, looking);
    return attributes === undefined && parents === undefined
      ? looking
      : looking.then((resolved) => ('refused' in resolved ? resolved : joined(resolved.resource, resource)));
  };
}

/** What the application knows of a resource, with what the route says besides. */
function joined({ type, id, ...found }: Resource, given: Resource): Resolved {
  const { attributes: known = {}, parents: above } = found;
  // A copy would lose what the getters of a class give.
  if (!isPlain(known)) return { refused: unusable({ type, id }, "'attributes' is no plain object") };
  try {
    const { attributes = {}, parents = [] } = recordOf({
      ...(given.attributes !== undefined && { attributes: given.attributes }),
      ...(given.parents !== undefined && { parents: given.parents }),
    });
    if (!isPlain(attributes)) throw new IncompleteResource("'attributes' is no plain object");
    const differing = Object.keys(attributes).find(
      (name) => Object.hasOwn(known, name) && !isDeepStrictEqual(attributes[name], known[name]),
    );
    // It may have changed between the two readings, as a row of a list may: nobody knows what holds now.
    if (differing !== undefined)
      return { refused: refusal('policy_denied', `entities() differs in the attribute '${differing}'`) };
    // A path may name any parent.
    const claimed =
      above && parents.find((one) => !above.some((other) => other.type === one.type && other.id === one.id));
    if (claimed !== undefined)
      return {
        refused: refusal('policy_denied', `entities() names no such parent of type ${quoteForLog(claimed.type)}`),
      };
    return { resource: { type, id, attributes: { ...known, ...attributes }, parents: above ?? parents } };
  } catch (error) {
    const detail = isA(error, IncompleteResource) ? error.message : kindOf(error);
    return { refused: refusal('policy_error', `the resource besides entities(): ${detail}`) };
  }
}

/** The operator needs the row, which may keep its resource out of every list. The audit record does not name it. */
function unusable({ type, id }: Resource, detail: string, problem = detail): Refusal {
  const reported = `entities() failed for ${quoteForLog(type)}, id ${quoteForLog(id)}: ${problem}`;
  return { ...refusal('resource_unresolved', `entities(): ${detail}`), reported };
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

const timedOut = Symbol('timed out');

/** Read once. What is wrong with the values is the engine's to say. */
function recordOf(found: unknown): EntityRecord {
  if (typeof found !== 'object' || found === null || Array.isArray(found)) {
    containRejections(found);
    throw new IncompleteResource('it gave neither an object nor undefined');
  }
  const { attributes, parents } = found as EntityRecord;
  containRejections([attributes, parents]);
  refuseUnknownMembers(found, ['attributes', 'parents']);
  // A row of a database as a class has it: a forbid on what is in it would not apply.
  if (!isPlain(found) && !('attributes' in found) && !('parents' in found))
    throw new IncompleteResource("it gave an object of a class without 'attributes' and 'parents'");
  if (
    attributes !== undefined &&
    (typeof attributes !== 'object' || attributes === null || Array.isArray(attributes))
  ) {
    throw new IncompleteResource("'attributes' is no object");
  }
  if (parents !== undefined && !(Array.isArray(parents) && parents.every(isResource))) {
    throw new IncompleteResource("'parents' is no list of { type, id }");
  }
  // What says anything of a resource says all that it is in, also by leaving `parents` out.
  const above = 'attributes' in found || 'parents' in found ? (parents ?? []) : undefined;
  return { ...(attributes && { attributes }), ...(above && { parents: above }) };
}
