import { isPromise } from './awaitable.js';

/** Nobody waits for this value. If it is a promise, its rejection must not end the process. */
export function containRejection(value: unknown): void {
  if (isPromise(value)) Promise.resolve(value).catch(() => undefined);
}

/** The same for the promises in plain objects and lists, some levels deep. Getters are not called. */
export function containRejections(value: unknown, levels = 8): void {
  containRejection(value);
  if (levels === 0 || !isPlain(value)) return;
  for (const key of Object.keys(value)) {
    const member: unknown = Object.getOwnPropertyDescriptor(value, key)?.value;
    if (typeof member === 'object') containRejections(member, levels - 1);
  }
}

function isPlain(value: unknown): value is object {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === Array.prototype || prototype === null;
}
