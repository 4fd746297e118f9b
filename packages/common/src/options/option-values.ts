import { ConfigError } from '../errors/config-error.js';

// Each reader checks one option and returns its value. `owner` is the public function that was called: it begins the
// message of the ConfigError.

/** A whole number within bounds. Without `most` it may be as large as it can be. @throws ConfigError */
export function integerOption(
  owner: string,
  name: string,
  value: unknown,
  least: number,
  most: number = Number.MAX_SAFE_INTEGER,
): number {
  if (Number.isSafeInteger(value) && isWithin(value, least, most)) return value;
  const bounds = most === Number.MAX_SAFE_INTEGER ? `, at least ${least}` : ` from ${least} to ${most}`;
  throw new ConfigError(`${owner}: '${name}' must be a whole number${bounds}.`);
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

/** One of several texts. @throws ConfigError */
export function oneOfOption<Choice extends string>(
  owner: string,
  name: string,
  value: unknown,
  choices: readonly Choice[],
): Choice {
  const chosen = choices.find((choice) => choice === value);
  if (chosen !== undefined) return chosen;
  const quoted = choices.map((choice) => `'${choice}'`);
  throw new ConfigError(`${owner}: '${name}' must be ${quoted.join(', ').replace(/, (?=[^,]*$)/, ' or ')}.`);
}

/** @throws ConfigError */
export function functionOption<Value>(owner: string, name: string, value: Value): Value {
  if (typeof value === 'function') return value;
  throw new ConfigError(`${owner}: '${name}' must be a function.`);
}
