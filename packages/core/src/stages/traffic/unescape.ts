const [percent, backslash, letterU] = [0x25, 0x5c, 0x75];
/** Behind a backslash, the control characters of JSON. */
const controls: ReadonlySet<number | undefined> = new Set(Buffer.from('bfnrt'));
/** Stands for a character that is no byte of ASCII, so that nothing takes it for base64. */
const foreign = 0x80;
/** No byte. */
const none = 256;

const escape = /%[0-9a-fA-F]{2}|\\(?:u[0-9a-fA-F]{4}|[bfnrt])/;

/** Whether there is something to unescape in a text. */
export function hasEscapes(text: string): boolean {
  return escape.test(text);
}

/** The text without its percent-encoding and its escapes of JSON. What is no escape stays. The result is a string of bytes (`latin1`). */
export function unescaped(text: string): string {
  return hasEscapes(text) ? withoutEscapes(withoutPercent(withoutPercent(text))) : text;
}

/** A character that is no byte: in UTF-8, or as an escape of JSON. */
const beyondByte = /[\xc4-\xf4][\x80-\xbf]|\\u(?!00)[0-9a-fA-F]{4}/;

/** Whether `readingsOf` a text may be several. */
export function hasReadings(text: string): boolean {
  return hasEscapes(text) || beyondByte.test(text);
}

/**
 * What applications may read in a text, as strings of bytes. First without any escape: some proxies and frameworks decode
 * percent-encoding twice. Who decodes less of it reads base64 in which a decoder skips a `%` or a backslash and keeps what
 * would be its digits. Of a character that is no byte, Node's decoder takes the low one.
 */
export function readingsOf(text: string): readonly string[] {
  if (!hasReadings(text)) return [text];
  const unpadded = text.replace(/(?:%3D){1,2}$/i, '');
  const once = withoutPercent(unpadded);
  const twice = withoutPercent(once);
  const readings = new Set([withoutEscapes(twice), unpadded, once, twice]);
  if (beyondByte.test(twice)) readings.add(withLowBytes(twice));
  return [...readings];
}

function withoutPercent(text: string): string {
  return text.includes('%') ? fromPercent(Buffer.from(text, 'latin1')).toString('latin1') : text;
}

function withoutEscapes(text: string): string {
  return text.includes('\\') ? fromEscapes(Buffer.from(text, 'latin1'), foreign).toString('latin1') : text;
}

function withLowBytes(text: string): string {
  const characters = Buffer.from(text, 'latin1').toString('utf8');
  return fromEscapes(Buffer.from(characters, 'latin1'), undefined).toString('latin1');
}

/** The value of a hexadecimal digit by its character code; of anything else 16. */
const digits: Uint8Array = new Uint8Array(256).fill(16);
for (const digit of '0123456789abcdefABCDEF') digits[digit.charCodeAt(0)] = Number.parseInt(digit, 16);

// In place and by byte: a replacement for each escape would take thirty times as long on untrusted input.

function fromPercent(bytes: Buffer): Buffer {
  let length = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    const value = bytes[at] === percent ? byteAt(bytes, at + 1) : none;
    bytes[length] = value === none ? (bytes[at] ?? 0) : value;
    length += 1;
    if (value !== none) at += 2;
  }
  return bytes.subarray(0, length);
}

/** Backslashes before one are taken with it: JSON within JSON escapes them. `beyond`: for what is no byte; its low byte if undefined. */
function fromEscapes(bytes: Buffer, beyond: number | undefined): Buffer {
  let length = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    let end = at;
    while (bytes[end] === backslash) end += 1;
    const isEscape = end > at && bytes[end] === letterU;
    const high = isEscape ? byteAt(bytes, end + 1) : none;
    const low = high === none ? none : byteAt(bytes, end + 3);
    if (end > at && controls.has(bytes[end])) {
      bytes[length] = foreign;
      length += 1;
      at = end;
    } else if (low === none) {
      for (end = Math.max(end, at + 1); at < end; at += 1, length += 1) bytes[length] = bytes[at] ?? 0;
      at = end - 1;
    } else {
      bytes[length] = high === 0 ? low : (beyond ?? low);
      length += 1;
      at = end + 4;
    }
  }
  return bytes.subarray(0, length);
}

/** The byte that two hexadecimal digits stand for. */
function byteAt(bytes: Buffer, at: number): number {
  const high = digits[bytes[at] ?? 0] ?? 16;
  const low = digits[bytes[at + 1] ?? 0] ?? 16;
  return high > 15 || low > 15 ? none : high * 16 + low;
}
