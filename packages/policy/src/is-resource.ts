import type { Resource } from './engine.js';

/** Whether it has a type and an id, without which there is nothing to decide about. */
export function isResource(value: unknown): value is Resource {
  if (typeof value !== 'object' || value === null) return false;
  const { type, id } = value as Partial<Resource>;
  return typeof type === 'string' && type !== '' && typeof id === 'string' && id !== '';
}
