import type { Scanner } from './scanner.js';
import type { BareItem } from './types.js';

const NUMBER = /(-?)([0-9]+)(?:\.([0-9]+))?/y;
const STRING = /"([\x20\x21\x23-\x5b\x5d-\x7e]*(?:\\["\\][\x20\x21\x23-\x5b\x5d-\x7e]*)*)"/y;
const TOKEN = /[A-Za-z*][!#$%&'*+\-.^_`|~0-9A-Za-z:/]*/y;
const BYTES = /:([A-Za-z0-9+/]*={0,2}):/y;
const BOOLEAN = /\?([01])/y;
const DATE = /@(-?[0-9]{1,15})/y;
const DISPLAY_STRING = /%"([\x20\x21\x23\x24\x26-\x7e]*(?:%[0-9a-f]{2}[\x20\x21\x23\x24\x26-\x7e]*)*)"/y;

/** RFC 9651 §4.2.3.1: the first character decides the type. */
export function readBareItem(scanner: Scanner): BareItem | undefined {
  const code = scanner.peek();
  switch (code) {
    case 0x22:
      return readString(scanner);
    case 0x2d:
      return readNumber(scanner);
    case 0x3a:
      return readBytes(scanner);
    case 0x3f:
      return readBoolean(scanner);
    case 0x40:
      return readDate(scanner);
    case 0x25:
      return readDisplayString(scanner);
    default:
      return code >= 0x30 && code <= 0x39 ? readNumber(scanner) : readToken(scanner);
  }
}

function readNumber(scanner: Scanner): BareItem | undefined {
  const found = scanner.match(NUMBER);
  const [whole = '', , digits = '', fraction] = found ?? [];
  if (digits === '') return scanner.fail('a number has no digits');
  if (fraction === undefined) {
    if (digits.length > 15) return scanner.fail('an Integer has more than 15 digits');
    return { type: 'integer', value: toNumber(whole) };
  }
  if (digits.length > 12 || fraction.length > 3) return scanner.fail('a Decimal has too many digits');
  return { type: 'decimal', value: toNumber(whole) };
}

/** `-0` is zero. */
function toNumber(digits: string): number {
  return Number(digits) + 0;
}

function readString(scanner: Scanner): BareItem | undefined {
  const text = scanner.match(STRING)?.[1];
  if (text === undefined) return scanner.fail('a String is not closed or has a forbidden character');
  return { type: 'string', value: text.includes('\\') ? text.replace(/\\(.)/g, '$1') : text };
}

function readToken(scanner: Scanner): BareItem | undefined {
  const text = scanner.match(TOKEN)?.[0];
  return text === undefined ? scanner.fail('no item') : { type: 'token', value: text };
}

/** Padded, canonical base64 only: two spellings of one value would be two values to a signature. */
function readBytes(scanner: Scanner): BareItem | undefined {
  const text = scanner.match(BYTES)?.[1];
  if (text === undefined) return scanner.fail('a Byte Sequence is not closed or not base64');
  const value = Buffer.from(text, 'base64');
  if (value.toString('base64') !== text) return scanner.fail('a Byte Sequence is not canonical base64');
  return { type: 'bytes', value };
}

function readBoolean(scanner: Scanner): BareItem | undefined {
  const digit = scanner.match(BOOLEAN)?.[1];
  return digit === undefined
    ? scanner.fail('a Boolean is neither ?0 nor ?1')
    : { type: 'boolean', value: digit === '1' };
}

function readDate(scanner: Scanner): BareItem | undefined {
  const seconds = scanner.match(DATE)?.[1];
  return seconds === undefined ? scanner.fail('a Date has no Integer') : { type: 'date', value: toNumber(seconds) };
}

function readDisplayString(scanner: Scanner): BareItem | undefined {
  const text = scanner.match(DISPLAY_STRING)?.[1];
  if (text === undefined) return scanner.fail('a Display String is not closed or has a forbidden character');
  try {
    return { type: 'display-string', value: decodeURIComponent(text) };
  } catch {
    return scanner.fail('a Display String is not UTF-8');
  }
}
