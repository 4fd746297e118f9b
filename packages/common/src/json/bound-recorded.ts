import { createHash } from 'node:crypto';
import { boundString } from './escape.js';

/** Cut text keeps its digest: an agent may pad what it asks for, and the record must still tell which request it was. */
export function boundRecorded(text: string, most: number): string {
  return text.length <= most
    ? boundString(text, most)
    : boundString(text.slice(0, most), most) + missingMark(text, text.length - most);
}

/** Says how many units of a text are missing, or items of a list, and the digest of the whole. */
export function missingMark(text: string, count: number): string {
  return `…[+${count} sha256:${createHash('sha256').update(text).digest('hex')}]`;
}

/**
 * Whether a record has this text, whole or cut. Unverified text is cut without a digest; of that, the beginning and the
 * length are compared.
 */
export function isRecordedAs(recorded: string, text: string): boolean {
  if (recorded === text) return true;
  const kept = recorded.lastIndexOf('…[+');
  return kept !== -1 && kept < text.length && [boundString, boundRecorded].some((cut) => cut(text, kept) === recorded);
}
