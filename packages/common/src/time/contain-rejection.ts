import { isPromise } from './awaitable.js';

/** Nobody waits for this value. If it is a promise, its rejection must not end the process. */
export function containRejection(value: unknown): void {
  if (isPromise(value)) Promise.resolve(value).catch(() => undefined);
}
