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
 * Limits the time of a file operation, anew with each step that it reports: where others keep the threads of Node's pool
 * busy, it is slow and does not hang. Of all operations, two run at the same time, and one on each path; the others wait
 * for 10 s. While an operation hangs its path is not touched again, and while two hang no path is.
 *
 * @throws Error (as a rejection) when the path does not answer within 10 s.
 */
export async function inTime<T>(path: string, work: (step: () => void) => Promise<T>): Promise<T> {
  if (hanging.has(path)) throw new Error(`'${path}' still does not answer`);
  if (hanging.size === MOST_AT_ONCE) throw new Error(behindOthers(path));
  return await new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => {
      const isWaiting = waiting.delete(turn);
      if (!isWaiting) hanging.add(path);
      const isBehind = isWaiting && !busy.has(path);
      const late = `'${path}' does not answer within ${LIMIT_MILLISECONDS / 1000} s`;
      reject(new Error(isBehind ? behindOthers(path) : late));
    }, LIMIT_MILLISECONDS);
    function step(): void {
      // Its timer would begin again.
      if (!hanging.has(path)) timer.refresh();
    }
    const turn: Turn = { path, begin: () => void run() };
    async function run(): Promise<void> {
      step();
      try {
        resolve(await work(step));
      } catch (error) {
        reject(error);
      } finally {
        clearTimeout(timer);
        busy.delete(path);
        hanging.delete(path);
        beginNext();
      }
    }
    waiting.add(turn);
    beginNext();
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
