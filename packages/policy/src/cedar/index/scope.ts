import type { EntityUidJson, PolicyJson, TypeAndId } from '@cedar-policy/cedar-wasm/nodejs';

/** The scope of a policy: its constraints on principal, action and resource. */
export interface PolicyScope {
  readonly principal: Constraint;
  readonly action: Constraint;
  readonly resource: Constraint;
}

/** All present members must hold; for `in`, one of the groups. Entities are as `entityKey` writes them. */
export interface Constraint {
  readonly equals?: string;
  readonly is?: string;
  readonly in?: readonly string[];
}

/** An entity with its ancestors, which include the entity itself. */
export interface ResolvedEntity {
  readonly key: string;
  readonly type: string;
  readonly ancestors: ReadonlySet<string>;
}

export const ANYTHING: Constraint = Object.freeze({});

/** An injective string form of an entity uid. */
export function entityKey({ type, id }: TypeAndId): string {
  return `${type}::${JSON.stringify(id)}`;
}

/** The inverse of {@link entityKey}. It is unambiguous because no type contains a quotation mark. */
export function uidOf(key: string): TypeAndId {
  const end = key.indexOf('::"');
  return { type: key.slice(0, end), id: JSON.parse(key.slice(end + 2)) as string };
}

/** Scope constraints cannot fail, and a policy whose scope does not hold never affects a decision. */
export function holds({ equals, is, in: groups }: Constraint, { key, type, ancestors }: ResolvedEntity): boolean {
  return (
    (equals === undefined || equals === key) &&
    (is === undefined || is === type) &&
    (groups === undefined || groups.some((group) => ancestors.has(group)))
  );
}

/** @throws Error on a constraint that is unknown here: the index would miss the policy. */
export function scopeFromJson({ principal, action, resource }: PolicyJson): PolicyScope {
  return {
    principal: constraintFromJson(principal),
    action: constraintFromJson(action),
    resource: constraintFromJson(resource),
  };
}

function constraintFromJson(json: PolicyJson['principal'] | PolicyJson['action'] | PolicyJson['resource']): Constraint {
  switch (json.op) {
    case 'All':
      return ANYTHING;
    case '==':
      if ('entity' in json) return { equals: keyFromJson(json.entity) };
      break;
    case 'in':
      if ('entity' in json) return { in: [keyFromJson(json.entity)] };
      if ('entities' in json) return { in: json.entities.map(keyFromJson) };
      break;
    case 'is':
      if (json.in === undefined) return { is: json.entity_type };
      if ('entity' in json.in) return { is: json.entity_type, in: [keyFromJson(json.in.entity)] };
      break;
    default:
  }
  throw new Error(`a scope that cannot be indexed: ${JSON.stringify(json)}`);
}

export function keyFromJson(uid: EntityUidJson): string {
  return entityKey('__entity' in uid ? uid.__entity : uid);
}
