const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const noDigit = 255;

/** Six bits by character code, in both alphabets (RFC 4648 §4 and §5). */
const digits: Uint8Array = new Uint8Array(256).fill(noDigit);
Buffer.from(alphabet).forEach((character, value) => {
  digits[character] = value;
});
digits['-'.charCodeAt(0)] = 62;
digits['_'.charCodeAt(0)] = 63;

/** Whether this byte is a character of base64, in either alphabet; padding is not. */
export function isBase64(byte: number | undefined): boolean {
  return byte !== undefined && digits[byte] !== noDigit;
}

/** The bytes that the characters from `start` to `end` encode. Not through a string: there may be a thousand such words. */
export function base64Bytes(text: Uint8Array, start: number, end: number): Uint8Array {
  const bytes = new Uint8Array((Math.max(end - start, 0) * 6) >> 3);
  let [bits, held, length] = [0, 0, 0];
  for (let at = start; at < end; at += 1) {
    bits = ((bits << 6) | (digits[text[at] ?? 0] ?? 0)) & 0xffff;
    held += 6;
    if (held >= 8) {
      held -= 8;
      bytes[length] = (bits >> held) & 0xff;
      length += 1;
    }
  }
  return bytes;
}

/** The text without what is no character of base64. */
export function base64Only(text: Uint8Array): Uint8Array {
  const kept = new Uint8Array(text.length);
  let length = 0;
  for (const byte of text) {
    if (digits[byte] === noDigit) continue;
    kept[length] = byte;
    length += 1;
  }
  return kept.subarray(0, length);
}
