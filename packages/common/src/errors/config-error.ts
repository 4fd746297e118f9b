/**
 * Thrown at creation when the configuration is wrong: never later, never because of a request.
 * The message says what to do.
 */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}
