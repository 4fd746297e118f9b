import type { Resource } from './engine.js';

/** Whether a value has a type and an id, which every decision needs. */
export function isResource(value: unknown): value is Resource {
  if (typeof value !== 'object' || value === null) return false;
  const { type, id } = value as Partial<Resource>;
  return typeof type === 'string' && type !== '' && typeof id === 'string' && id !== '';
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
