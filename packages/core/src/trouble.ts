import { ConfigError } from './config-error.js';
import { textOf } from './text-of.js';

/** Who is told of troubles that no answer can carry; by default a process warning. */
export function readOnTrouble(
  owner: string,
  onTrouble: ((message: string) => void) | undefined,
): (message: string) => void {
  if (onTrouble === undefined) return warn;
  if (typeof onTrouble !== 'function') throw new ConfigError(`${owner}: 'onTrouble' must be a function.`);
  return (message) => {
    try {
      onTrouble(message);
    } catch (error) {
      // Whoever listens must not be able to end the process.
      warn(`${message}; and onTrouble threw: ${textOf(error)}`);
    }
  };
}

function warn(message: string): void {
  process.emitWarning(message, 'CountersignWarning');
}
