import { spellingHint } from '@countersign/delegation';
import { ConfigError } from '../errors/config-error.js';

/**
 * Refuses options that are not an object, and option names that do not exist, with a hint for a misspelt one: a
 * misspelt security option must not pass silently.
 *
 * @throws ConfigError
 */
export function checkOptionNames(owner: string, options: object, known: readonly string[]): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw new ConfigError(`${owner}: the options must be an object.`);
  for (const name of Object.keys(options)) {
    if (known.includes(name)) continue;
    throw new ConfigError(`${owner}: unknown option '${name}'. ${spellingHint(name, known, 'options')}`);
  }
}
