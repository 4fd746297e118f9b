/** What readers of one JSON text could take for different things. */
export type JsonAmbiguity = 'too_many_members' | 'number' | 'surrogate';

/** So many items of lists may stand for one member: each costs whoever reads it about a tenth of that. */
export const itemsForMember = 10;

/**
 * Finds what strict JSON still leaves open: an integer that a double cannot hold, which other readers keep; a number that
 * overflows; half of a surrogate pair, which readers replace or refuse. The text may be no JSON. Reads each character once.
 *
 * @param mostMembers of members, objects and lists; of values there may be ten times as many. Default: any number.
 */
export function ambiguityOfJson(text: string, mostMembers: number = Infinity): JsonAmbiguity | undefined {
  let members = 0;
  let values = 0;
  let found: JsonAmbiguity | undefined;
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (character === '"') {
      const end = endOfString(text, at);
      if (end.hasEscape && hasHalfPair(text.slice(at + 1, end.at))) found ??= 'surrogate';
      at = end.at;
    } else if (character === ':' || character === '{' || character === '[') {
      members += 1;
      if (members > mostMembers) return 'too_many_members';
    } else if (character === ',') {
      values += 1;
      if (values > mostMembers * itemsForMember) return 'too_many_members';
    } else if (character === '-' || (character >= '0' && character <= '9')) {
      const end = endOfNumber(text, at);
      if (!isKept(text.slice(at, end))) found ??= 'number';
      at = end - 1;
    }
  }
  return found;
}

function endOfString(text: string, start: number): { readonly at: number; readonly hasEscape: boolean } {
  let at = start + 1;
  let hasEscape = false;
  while (at < text.length && text[at] !== '"') {
    if (text[at] === '\\') hasEscape = true;
    at += text[at] === '\\' ? 2 : 1;
  }
  return { at, hasEscape };
}

function endOfNumber(text: string, start: number): number {
  let end = start + 1;
  while (end < text.length && '0123456789.eE+-'.includes(text.charAt(end))) end += 1;
  return end;
}

/** The text between quotation marks, with its escapes. */
function hasHalfPair(content: string): boolean {
  const rest = content.replace(/\\\\/g, ' ').replace(/\\ud[89ab][\da-f]{2}\\ud[c-f][\da-f]{2}/gi, ' ');
  return /\\ud[89a-f]/i.test(rest);
}

/** Whether the double that JavaScript reads is the number that was written. Fractions are doubles for every reader. */
function isKept(literal: string): boolean {
  const value = Number(literal);
  // No number: the parser refuses it.
  if (Number.isNaN(value)) return true;
  if (!Number.isFinite(value)) return false;
  return Math.abs(value) < 2 ** 53 || decimalOf(literal) === decimalOf(String(value));
}

/** The digits and the exponent, without zeros at either end. */
function decimalOf(literal: string): string {
  const [, whole = '', fraction = '', exponent = '0'] = /^-?(\d+)(?:\.(\d+))?(?:e([+-]?\d+))?$/i.exec(literal) ?? [];
  const digits = (whole + fraction).replace(/^0+/, '');
  const significant = withoutLastZeros(digits);
  return `${significant} ${Number(exponent) - fraction.length + digits.length - significant.length}`;
}

/** In linear time, which the expression `0+$` does not take. */
function withoutLastZeros(digits: string): string {
  let end = digits.length;
  while (end > 0 && digits[end - 1] === '0') end -= 1;
  return digits.slice(0, end);
}
