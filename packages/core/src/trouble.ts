import { escapeUnprintable } from './audit/escape.js';
import { ConfigError } from './config-error.js';
import { textOf } from './text-of.js';

/**
 * Who is told of troubles that no answer can carry; by default a process warning. What is told may quote a client, in
 * an error of the application's: it holds no character that a terminal obeys, and no second line.
 */
export function readOnTrouble(
  owner: string,
  onTrouble: ((message: string) => void) | undefined,
): (message: string) => void {
  if (onTrouble === undefined) return (message) => warn(escapeUnprintable(message));
  if (typeof onTrouble !== 'function') throw new ConfigError(`${owner}: 'onTrouble' must be a function.`);
  return (message) => {
    const printable = escapeUnprintable(message);
    try {
      onTrouble(printable);
    } catch (error) {
      // Whoever listens must not be able to end the process.
      warn(`${printable}; and onTrouble threw: ${escapeUnprintable(textOf(error))}`);
    }
  };
}

function warn(message: string): void {
  process.emitWarning(message, 'CountersignWarning');
}
