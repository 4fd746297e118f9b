import { ConfigError } from '../errors/config-error.js';

// Each reader checks one option and returns its value. `owner` is the public function that was called: it begins the
// message of the ConfigError.

/** A whole number within bounds. @throws ConfigError */
export function integerOption(owner: string, name: string, value: unknown, least: number, most: number): number {
  if (Number.isSafeInteger(value) && isWithin(value, least, most)) return value;
  throw new ConfigError(`${owner}: '${name}' must be a whole number from ${least} to ${most}.`);
}

/** A number within bounds, such as a fraction of a second. @throws ConfigError */
export function numberOption(owner: string, name: string, value: unknown, least: number, most: number): number {
  if (isWithin(value, least, most)) return value;
  throw new ConfigError(`${owner}: '${name}' must be a number from ${least} to ${most}.`);
}

function isWithin(value: unknown, least: number, most: number): value is number {
  return typeof value === 'number' && value >= least && value <= most;
}

/** True or false. The text `false`, as an environment holds it, must not pass for true. @throws ConfigError */
export function flagOption(owner: string, name: string, value: unknown): boolean {
  if (typeof value === 'boolean') return value;
  throw new ConfigError(`${owner}: '${name}' must be true or false.`);
}

/** @throws ConfigError */
export function functionOption<Value>(owner: string, name: string, value: Value): Value {
  if (typeof value === 'function') return value;
  throw new ConfigError(`${owner}: '${name}' must be a function.`);
}
