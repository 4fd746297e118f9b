import { withTimeout } from '../time/with-timeout.js';

const LIMIT_MILLISECONDS = 10_000;
/** A hung operation occupies one of the four threads of Node's pool, also after its timeout. The other two are for the rest. */
const MOST_AT_ONCE = 2;

interface Turn {
  readonly path: string;
  readonly begin: () => void;
}

/** Paths with an operation that has begun and not ended. */
const busy = new Set<string>();
/** Those of them that exceeded the limit. */
const hanging = new Set<string>();
/** In the order of the calls. */
const waiting = new Set<Turn>();

/**
 * Limits the time of a file operation. Of all operations, two run at the same time, and one on each path; the others
 * wait within their limit. While an operation hangs its path is not touched again, and while two hang no path is.
 *
 * @throws Error (as a rejection) when the path does not answer within 10 s.
 */
export async function inTime<T>(path: string, work: () => Promise<T>): Promise<T> {
  if (hanging.has(path)) throw new Error(`'${path}' still does not answer`);
  if (hanging.size === MOST_AT_ONCE) throw new Error(behindOthers(path));
  let turn: Turn | undefined;
  const working = new Promise<void>((begin) => {
    turn = { path, begin };
    waiting.add(turn);
    beginNext();
  })
    .then(work)
    .finally(() => {
      busy.delete(path);
      hanging.delete(path);
      beginNext();
    });
  return await withTimeout(LIMIT_MILLISECONDS, working, () => {
    const isWaiting = turn !== undefined && waiting.delete(turn);
    if (isWaiting && !busy.has(path)) throw new Error(behindOthers(path));
    if (!isWaiting) hanging.add(path);
    throw new Error(`'${path}' does not answer within ${LIMIT_MILLISECONDS / 1000} s`);
  });
}

function beginNext(): void {
  for (const turn of waiting) {
    if (busy.size === MOST_AT_ONCE) return;
    if (busy.has(turn.path)) continue;
    waiting.delete(turn);
    busy.add(turn.path);
    turn.begin();
  }
}

function behindOthers(path: string): string {
  return `'${path}' is not read while ${[...busy].map((other) => `'${other}'`).join(' and ')} do not answer`;
}
