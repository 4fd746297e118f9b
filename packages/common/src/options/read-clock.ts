import { ConfigError } from '../errors/config-error.js';
import { containRejection } from '../time/contain-rejection.js';

/**
 * The clock of an option, by default the system's. It throws if the clock does not return a number: compared with NaN, no
 * signature would ever be too old.
 */
export function readClock(owner: string, clock: (() => number) | undefined): () => number {
  if (clock === undefined) return Date.now;
  if (typeof clock !== 'function') {
    throw new ConfigError(`${owner}: 'clock' must be a function that gives milliseconds since the epoch.`);
  }
  return () => {
    const now: unknown = clock();
    if (typeof now === 'number' && Number.isFinite(now)) return now;
    containRejection(now);
    throw new TypeError(`${owner}: 'clock' gave no number of milliseconds.`);
  };
}
