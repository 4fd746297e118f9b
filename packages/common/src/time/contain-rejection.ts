import { isPromise } from './awaitable.js';

/** Nobody waits for this value. If it is a promise, its rejection must not end the process. */
export function containRejection(value: unknown): void {
  if (isPromise(value)) Promise.resolve(value).catch(() => undefined);
}

/** A resource has far fewer. It may hold on to all that an application knows, though. */
const maxVisited = 1_000;

/** The same for the promises in objects and lists, as far as a resource goes. Getters are not called. */
export function containRejections(value: unknown): void {
  const found = new Set([value]);
  for (const each of found) {
    containRejection(each);
    if (found.size > maxVisited) return;
    for (const member of membersOf(each)) if (typeof member === 'object') found.add(member);
  }
}

function membersOf(value: unknown): readonly unknown[] {
  if (Array.isArray(value)) return value.slice(0, maxVisited);
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value)) return [];
  const keys = Object.keys(value).slice(0, maxVisited);
  return keys.map((key): unknown => Object.getOwnPropertyDescriptor(value, key)?.value);
}
