import type { Resource } from './engine.js';

/**
 * A copy of the members of a resource, each read once; undefined without a type or an id. They are read by name, because
 * a class may give them by getters, which a spread does not copy: a forbid on a lost attribute would not apply.
 */
export function readResource(value: unknown): Resource | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const { type, id, attributes, parents } = value as Partial<Resource>;
  if (typeof type !== 'string' || type === '' || typeof id !== 'string' || id === '') return undefined;
  return { type, id, ...(attributes !== undefined && { attributes }), ...(parents !== undefined && { parents }) };
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
  return Array.isArray(value) ? 'a list' : `of type ${typeof value}`;
}
