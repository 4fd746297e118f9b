import { ConfigError } from '../errors/config-error.js';

/** Checks an option that is a whole number within bounds. @throws ConfigError in the name of `owner`, which was called. */
export function integerOption(owner: string, name: string, value: number, least: number, most: number): number {
  if (Number.isSafeInteger(value) && value >= least && value <= most) return value;
  throw new ConfigError(`${owner}: '${name}' must be a whole number from ${least} to ${most}.`);
}
