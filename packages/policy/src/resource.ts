import type { Resource } from './engine.js';

/** Whether it has a type and an id, without which there is nothing to decide about. */
export function isResource(value: unknown): value is Resource {
  if (typeof value !== 'object' || value === null) return false;
  const { type, id } = value as Partial<Resource>;
  return typeof type === 'string' && type !== '' && typeof id === 'string' && id !== '';
}

/** What the application made is no resource. Its text names members and kinds, never values: the audit log keeps it. */
export class IncompleteResource extends Error {
  override readonly name = 'IncompleteResource';
}

/** Of what is no resource: which member, and what stands there. */
export function whatIsWrongWith(made: unknown): string {
  if (typeof made !== 'object' || made === null) return `a resource needs { type, id }, and it is ${kindOf(made)}`;
  const { type, id } = made as { readonly type?: unknown; readonly id?: unknown };
  const wrong = Object.entries({ type, id }).filter(([, value]) => typeof value !== 'string' || value === '');
  const members = wrong.map(([name, value]) => `'${name}' is ${kindOf(value)}`).join(' and ');
  return `a resource needs a type and an id, both text, and ${members}`;
}

function kindOf(value: unknown): string {
  if (value === '') return 'empty';
  if (value === undefined || value === null) return String(value);
  return Array.isArray(value) ? 'a list' : `of type ${typeof value}`;
}
