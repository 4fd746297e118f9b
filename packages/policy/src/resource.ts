import { containRejections, isPromise } from '@countersign/common';
import type { Resource } from './engine.js';

/**
 * A copy of the members of a resource, each read once; undefined without a type or an id. They are read by name, because
 * a class may give them by getters, which a spread does not copy: a forbid on a lost attribute would not apply.
 */
export function readResource(value: unknown): Resource | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { type, id, attributes, parents } = value as Partial<Resource>;
  // Where an `await` was forgotten.
  containRejections([type, id, attributes, parents]);
  if (typeof type !== 'string' || type === '' || typeof id !== 'string' || id === '') return undefined;
  return { type, id, ...(attributes !== undefined && { attributes }), ...(parents !== undefined && { parents }) };
}

/**
 * Reads a resource that the application names for a decision. A member that policy does not see is refused, since a
 * forbid on it would not apply: only in plain objects, as an instance of a class may have members of its own. `given` is
 * what the application wrote, if `value` was made from it.
 *
 * @throws IncompleteResource
 */
export function readNamedResource(value: unknown, given: unknown = value): Resource {
  const read = readResource(value);
  if (read === undefined) {
    containRejections(given);
    throw new IncompleteResource(resourceProblem(value));
  }
  refuseUnknownMembers(given as object, ['type', 'id', 'attributes', 'parents']);
  return read;
}

/** @throws IncompleteResource that names the member. */
export function refuseUnknownMembers(value: object, known: readonly string[]): void {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return;
  const unknown = Object.keys(value).find((name) => !known.includes(name));
  if (unknown === undefined) return;
  // What nobody reads may be a promise, too.
  containRejections(value);
  throw new IncompleteResource(`'${unknown}' is no member of it: policies read 'attributes' and 'parents'`);
}

/** Whether a value has a type and an id, which every decision needs. */
export function isResource(value: unknown): value is Resource {
  return readResource(value) !== undefined;
}

/** The application built an invalid resource. The message names members and kinds only: the audit log keeps it. */
export class IncompleteResource extends Error {
  override readonly name = 'IncompleteResource';
}

/** Describes why a value is not a resource: the member, and the kind of value it has. */
export function resourceProblem(value: unknown): string {
  if (typeof value !== 'object' || value === null) return `a resource needs { type, id }, and it is ${kindOf(value)}`;
  const { type, id } = value as { readonly type?: unknown; readonly id?: unknown };
  const wrong = Object.entries({ type, id }).filter(([, member]) => typeof member !== 'string' || member === '');
  const members = wrong.map(([name, member]) => `'${name}' is ${kindOf(member)}`).join(' and ');
  return `a resource needs a type and an id, both text, and ${members}`;
}

function kindOf(value: unknown): string {
  if (value === '') return 'empty';
  if (value === undefined || value === null) return String(value);
  if (isPromise(value)) return 'a promise: is an await missing?';
  return Array.isArray(value) ? 'a list' : `of type ${typeof value}`;
}
