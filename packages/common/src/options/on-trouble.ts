import { escapeUnprintable } from '../json/escape.js';
import { readListener, warn } from './listener.js';

/**
 * Who is told of troubles that no answer can carry; by default a process warning. What is told may quote a client, in
 * an error of the application's: it holds no character that a terminal obeys, and no second line.
 */
export function readOnTrouble(
  owner: string,
  onTrouble: ((message: string) => unknown) | undefined,
): (message: string) => void {
  const listener = readListener(owner, 'onTrouble', onTrouble, warn);
  return (message) => listener(escapeUnprintable(message));
}
