import { escapeUnprintable } from '../json/escape.js';
import { readListener, warn } from './listener.js';

/**
 * The listener for problems that no answer can carry; by default a process warning. A message may quote a client, so it
 * is escaped: one line, without control characters.
 */
export function readOnTrouble(
  owner: string,
  onTrouble: ((message: string) => unknown) | undefined,
): (message: string) => void {
  const listener = readListener(owner, 'onTrouble', onTrouble, warn);
  return (message) => listener(escapeUnprintable(message));
}
