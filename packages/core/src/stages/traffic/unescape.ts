const [percent, backslash, letterU] = [0x25, 0x5c, 0x75];
/** Stands for a character that is no byte of ASCII, so that nothing takes it for base64. */
const foreign = 0x80;
/** No byte. */
const none = 256;

const escape = /%[0-9a-f]{2}|\\u[0-9a-f]{4}/i;

/** Whether there is something to unescape in a text. */
export function hasEscapes(text: string): boolean {
  return escape.test(text);
}

/**
 * The text without percent-encoding, which some proxies and frameworks do twice, and without the escapes of JSON. What is
 * no escape stays. The result is a string of bytes (`latin1`).
 */
export function unescaped(text: string): string {
  if (!hasEscapes(text)) return text;
  const bytes = Buffer.from(text, 'latin1');
  return fromEscapes(fromPercent(fromPercent(bytes))).toString('latin1');
}

/** An escape that is no padding at the end of base64. */
const withinText = /%(?!3D(?:%3D)?(?:$|[;&" ,]))[0-9a-f]{2}/i;

/** The text with none of its percent-encoding decoded, and with it decoded once, where these are other texts. */
export function lessUnescaped(text: string): readonly string[] {
  if (!withinText.test(text)) return [];
  if (!/%25[0-9a-f]{2}/i.test(text)) return [text];
  return [text, fromPercent(Buffer.from(text, 'latin1')).toString('latin1')];
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

/** Backslashes before one are taken with it: JSON within JSON escapes them. */
function fromEscapes(bytes: Buffer): Buffer {
  let length = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    let end = at;
    while (bytes[end] === backslash) end += 1;
    const isEscape = end > at && bytes[end] === letterU;
    const high = isEscape ? byteAt(bytes, end + 1) : none;
    const low = high === none ? none : byteAt(bytes, end + 3);
    if (low === none) {
      end = Math.max(end, at + 1);
      bytes.copyWithin(length, at, end);
      length += end - at;
      at = end - 1;
    } else {
      bytes[length] = high === 0 ? low : foreign;
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
