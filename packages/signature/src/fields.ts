import type { RawFields } from './message.js';

/** Field lines by lower-case name: a string for one line, an array for several, in order of arrival. */
export type FieldIndex = ReadonlyMap<string, string | string[]>;

export function indexFields(rawFields: RawFields): FieldIndex {
  const index = new Map<string, string | string[]>();
  for (let at = 0; at + 1 < rawFields.length; at += 2) {
    const name = rawFields[at]?.toLowerCase() ?? '';
    const value = rawFields[at + 1] ?? '';
    const known = index.get(name);
    if (known === undefined) index.set(name, value);
    else if (typeof known === 'string') index.set(name, [known, value]);
    else known.push(value);
  }
  return index;
}

/**
 * The value of one field: its lines trimmed, obsolete folds undone, joined by comma and space (RFC 9421 §2.1).
 *
 * @example fieldValue(request.rawHeaders, 'content-digest')
 */
export function fieldValue(rawFields: RawFields, name: string): string | undefined {
  return combinedValue(indexFields(rawFields), name.toLowerCase());
}

/** The field value of RFC 9421 §2.1: lines trimmed, obsolete folds undone, joined by comma and space. */
export function combinedValue(index: FieldIndex, name: string): string | undefined {
  const lines = index.get(name);
  if (lines === undefined) return undefined;
  return typeof lines === 'string' ? cleanLine(lines) : lines.map(cleanLine).join(', ');
}

/** Each line of a field on its own, for `;bs`. */
export function fieldLines(index: FieldIndex, name: string): readonly string[] | undefined {
  const lines = index.get(name);
  if (lines === undefined) return undefined;
  return (typeof lines === 'string' ? [lines] : lines).map(cleanLine);
}

const OBSOLETE_FOLD = /[ \t]*\r\n[ \t]+/g;

/** Only spaces and tabs are optional whitespace: `trim()` would also take away bytes that are part of the value. */
function cleanLine(line: string): string {
  const unfolded = line.includes('\n') ? line.replace(OBSOLETE_FOLD, ' ') : line;
  let start = 0;
  let end = unfolded.length;
  while (start < end && isWhitespace(unfolded.charCodeAt(start))) start += 1;
  while (end > start && isWhitespace(unfolded.charCodeAt(end - 1))) end -= 1;
  return start === 0 && end === unfolded.length ? unfolded : unfolded.slice(start, end);
}

function isWhitespace(code: number): boolean {
  return code === 0x20 || code === 0x09;
}
