import type { Store } from './store.js';

/** How far the clock of a process may differ from that of the database. */
export const mostClockDifferenceSeconds = 60;

/** What expires is kept so much longer, for processes whose clocks are behind and guards that allow for it. */
export const clockMarginSeconds = 600;

/** A clock that was set forward counts once it has gone on for so long. */
const steadyMilliseconds = 900_000;

/**
 * The time by which a process deletes what has expired and makes keys: what one wrong clock forgets would be undone for
 * all. The earlier one of its own clock and that of the database.
 *
 * @throws Error if the two differ by more than a minute.
 */
export async function agreedTime(store: Store, now: () => number): Promise<number> {
  const there = await store.clock();
  const here = now();
  const ahead = here - there;
  if (Math.abs(ahead) > mostClockDifferenceSeconds) {
    const direction = ahead > 0 ? 'ahead of' : 'behind';
    throw new Error(`the clock of this process is ${Math.abs(ahead)} s ${direction} that of the database`);
  }
  return Math.min(here, there);
}

/** The later one of a time by the clock of a process and that of the database: an end must not be earlier than it was made. */
export async function laterTime(store: Store, here: number): Promise<number> {
  return Math.max(here, await store.clock());
}

/**
 * The clock of a database without one of its own: that of this process. If it is set forward, the returned clock goes on
 * as before for a quarter of an hour, by the monotonic clock, which nobody sets. In unix seconds.
 */
export function steadyClock(): () => number {
  let samples: readonly (readonly [at: number, offset: number])[] = [];
  function read(): number {
    const at = performance.now();
    const offset = Date.now() - at;
    const [before, last] = samples.slice(-2);
    // Two a second, so that there are never many.
    const isMany = before !== undefined && last !== undefined && at - before[0] < 1000;
    const all = isMany
      ? [...samples.slice(0, -1), [last[0], Math.min(last[1], offset)] as const]
      : [...samples, [at, offset] as const];
    // The last one before the quarter of an hour counts too: nothing is known of the time between two samples.
    samples = all.filter((_, index) => (all[index + 1]?.[0] ?? at) > at - steadyMilliseconds);
    return Math.floor((at + Math.min(...samples.map(([, offset]) => offset))) / 1000);
  }
  read();
  return read;
}
