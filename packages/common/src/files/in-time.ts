import { withTimeout } from '../time/with-timeout.js';

const LIMIT_MILLISECONDS = 10_000;

/** Paths with a hung operation. Each occupies one of the four threads of Node's pool: no path may take a second one. */
const hanging = new Set<string>();

/**
 * Limits the time of a file operation. While one hangs, the path is not touched again.
 *
 * @throws Error (as a rejection) when the path does not answer within 10 s.
 */
export async function inTime<T>(path: string, work: () => Promise<T>): Promise<T> {
  if (hanging.has(path)) throw new Error(`'${path}' still does not answer`);
  const working = work();
  return await withTimeout(LIMIT_MILLISECONDS, working, () => {
    hanging.add(path);
    const answered = (): boolean => hanging.delete(path);
    working.then(answered, answered);
    throw new Error(`'${path}' does not answer within ${LIMIT_MILLISECONDS / 1000} s`);
  });
}
