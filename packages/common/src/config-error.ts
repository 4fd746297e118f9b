import { spellingHint } from '@countersign/delegation';

/**
 * Thrown at creation when the configuration is wrong: never later, never because of a request.
 * The message says what to do.
 */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** Refuses option names that do not exist, with a hint for a misspelt one. A misspelt security option must not pass silently. */
export function checkOptionNames(owner: string, options: object, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null)
    throw new ConfigError(`${owner}: the options must be an object.`);
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    throw new ConfigError(`${owner}: unknown option '${name}'. ${spellingHint(name, known, 'options')}`);
  }
}
