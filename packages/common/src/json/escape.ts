// Controls, format characters (bidi overrides, zero-width, tags), line and paragraph separators, noncharacters.
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Noncharacter_Code_Point}]/gu;
const loneSurrogate = /\p{Cs}/gu;

/**
 * Escapes characters that JSON allows unescaped but that a terminal or log viewer interprets, or a receiver refuses. JSON
 * keeps its meaning, since such characters occur only in strings; in other text the escapes are shown literally.
 */
export function escapeUnprintable(json: string): string {
  return json.replace(unprintable, escapeOf);
}

/** The escape that JSON has for a character. */
export function escapeOf(character: string): string {
  const units = Array.from({ length: character.length }, (_, index) => character.charCodeAt(index));
  return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
}

/**
 * Cuts untrusted text so that, in a JSON string, it takes at most `most` bytes plus a mark that says how much was cut.
 * A character takes one byte, two (a quotation mark), or at most six (an escape).
 */
export function boundJson(text: string, most: number): string {
  const fits = (units: number): boolean => jsonBytes(text.slice(0, units)) <= most;
  return boundString(text, [most, Math.floor(most / 2)].find(fits) ?? Math.floor(most / 6));
}

function jsonBytes(text: string): number {
  return Buffer.byteLength(escapeUnprintable(JSON.stringify(text))) - '""'.length;
}

/** Cuts a string to `most` UTF-16 units, marks how many were cut, and leaves no lone surrogate. */
export function boundString(text: string, most: number): string {
  const kept = text.length <= most ? text : `${text.slice(0, most)}…[+${text.length - most}]`;
  return kept.replace(loneSurrogate, '\ufffd');
}

const maxQuoted = 3;
const maxQuotedLength = 100;

/** Quotes untrusted names for a log: at most three, each cut to 100 characters. */
export function quoteForLog(names: string | readonly string[]): string {
  const all = typeof names === 'string' ? [names] : names;
  const some = all.slice(0, maxQuoted).map((name) => JSON.stringify(name.slice(0, maxQuotedLength)));
  return all.length > maxQuoted ? `${some.join(', ')}, …` : some.join(', ');
}
