import { escapeUnprintable } from '../json/escape.js';
import { ConfigError } from '../errors/config-error.js';
import { errorMessage } from '../errors/error-message.js';

/**
 * A listener of the application, contained: whether it throws or rejects, nothing reaches us or ends the process. The
 * failure is a process warning, and `byDefault` gets what the listener was called with. Nobody waits for its promise.
 *
 * @throws ConfigError if it is no function.
 */
export function readListener<Told>(
  owner: string,
  option: string,
  listener: ((told: Told) => unknown) | undefined,
  byDefault: (told: Told) => void,
): (told: Told) => void {
  if (listener === undefined) return byDefault;
  if (typeof listener !== 'function') throw new ConfigError(`${owner}: '${option}' must be a function.`);
  // Async, so that what it throws and what it rejects with arrive in one place.
  async function call(told: Told): Promise<void> {
    await listener?.(told);
  }
  return (told) => {
    call(told).catch((error: unknown) => {
      warn(`${owner}: '${option}' failed: ${errorMessage(error)}`);
      byDefault(told);
    });
  };
}

/** A process warning, as one printable line: it may quote a client. */
export function warn(message: string): void {
  process.emitWarning(escapeUnprintable(message), 'CountersignWarning');
}
