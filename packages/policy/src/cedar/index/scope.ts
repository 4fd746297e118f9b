import type { EntityUidJson, PolicyJson, TypeAndId } from '@cedar-policy/cedar-wasm/nodejs';

/** What a policy's scope asks of its principal, action and resource. */
export interface PolicyScope {
  readonly principal: Constraint;
  readonly action: Constraint;
  readonly resource: Constraint;
}

/** Everything that is present must hold; of `in`, one. Entities stand as their {@link entityKey}. */
export interface Constraint {
  readonly equals?: string;
  readonly is?: string;
  readonly in?: readonly string[];
}

/** An entity, and all entities that it is in; itself among them. */
export interface PlacedEntity {
  readonly key: string;
  readonly type: string;
  readonly ancestors: ReadonlySet<string>;
}

export const ANYTHING: Constraint = Object.freeze({});

/** One string for one entity: no type and id make the same as another type and id. */
export function entityKey({ type, id }: TypeAndId): string {
  return `${type}::${JSON.stringify(id)}`;
}

/** The inverse of {@link entityKey}: no type holds a quotation mark. */
export function uidOf(key: string): TypeAndId {
  const end = key.indexOf('::"');
  return { type: key.slice(0, end), id: JSON.parse(key.slice(end + 2)) as string };
}

/** Scope constraints are exactly this much: they cannot err, and a policy whose scope does not hold has no part in a decision. */
export function holds({ equals, is, in: groups }: Constraint, { key, type, ancestors }: PlacedEntity): boolean {
  return (
    (equals === undefined || equals === key) &&
    (is === undefined || is === type) &&
    (groups === undefined || groups.some((group) => ancestors.has(group)))
  );
}

/** @throws Error on a constraint that this version of Cedar did not have: such a policy cannot be indexed. */
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
