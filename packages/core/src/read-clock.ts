import { ConfigError } from './config-error.js';

/** The clock of an option, by default that of the system. */
export function readClock(owner: string, clock: (() => number) | undefined): () => number {
  if (clock === undefined) return Date.now;
  if (typeof clock === 'function') return clock;
  throw new ConfigError(`${owner}: 'clock' must be a function that gives milliseconds since the epoch.`);
}
