import { escapeUnprintable } from '../json/escape.js';
import { ConfigError } from '../errors/config-error.js';
import { errorMessage } from '../errors/error-message.js';

/**
 * Wraps a listener of the application so that it can neither throw nor reject into our code. If it fails, a process
 * warning says so and `byDefault` gets the value. The promise of the listener is not awaited.
 *
 * @throws ConfigError if it is not a function.
 */
export function readListener<Value>(
  owner: string,
  option: string,
  listener: ((value: Value) => unknown) | undefined,
  byDefault: (value: Value) => void,
): (value: Value) => void {
  if (listener === undefined) return byDefault;
  if (typeof listener !== 'function') throw new ConfigError(`${owner}: '${option}' must be a function.`);
  // Async, so that an exception becomes a rejection.
  async function call(value: Value): Promise<void> {
    await listener?.(value);
  }
  return (value) => {
    call(value).catch((error: unknown) => {
      warn(`${owner}: '${option}' failed: ${errorMessage(error)}`);
      byDefault(value);
    });
  };
}

/** A process warning, as one printable line: it may quote a client. */
export function warn(message: string): void {
  process.emitWarning(escapeUnprintable(message), 'CountersignWarning');
}
