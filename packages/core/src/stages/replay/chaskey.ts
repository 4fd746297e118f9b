/** A keyed hash of a number and a text; writes four words into `digest`. */
export type KeyedHash = (prefix: number, text: string, digest: Int32Array) => void;

/** 128 bits, as four words. */
export type ChaskeyKey = readonly [number, number, number, number];

const rounds = 12;
const beyondAscii = /[\u0080-\uffff]/;

/**
 * Chaskey-12 (ISO/IEC 29192-6, https://mouha.be/chaskey) of a message: the four bytes of `prefix`, lowest first, and the
 * UTF-8 bytes of `text`.
 */
export function createChaskey(key: ChaskeyKey): KeyedHash {
  const [k0, k1, k2, k3] = key;
  const wholeBlock = doubled(key);
  const paddedBlock = doubled(wholeBlock);
  return (prefix, text, digest) => {
    const bytes = beyondAscii.test(text) ? Buffer.from(text, 'utf8').toString('latin1') : text;
    digest[0] = k0 ^ prefix;
    digest[1] = k1 ^ wordAt(bytes, 0);
    digest[2] = k2 ^ wordAt(bytes, 4);
    digest[3] = k3 ^ wordAt(bytes, 8);
    let end = 12;
    for (; end < bytes.length; end += 16) {
      permute(digest);
      xor(digest, wordAt(bytes, end), wordAt(bytes, end + 4), wordAt(bytes, end + 8), wordAt(bytes, end + 12));
    }
    const subkey = end === bytes.length ? wholeBlock : paddedBlock;
    xor(digest, subkey[0], subkey[1], subkey[2], subkey[3]);
    permute(digest);
    xor(digest, subkey[0], subkey[1], subkey[2], subkey[3]);
  };
}

/** The key times two in the field of 2^128 elements. */
function doubled([a, b, c, d]: ChaskeyKey): ChaskeyKey {
  return [(a << 1) ^ (0x87 * (d >>> 31)), (b << 1) | (a >>> 31), (c << 1) | (b >>> 31), (d << 1) | (c >>> 31)];
}

/** Four bytes, lowest first; after the end of the message a byte 1, and zeros. */
function wordAt(bytes: string, at: number): number {
  if (at + 4 > bytes.length) return paddedWord(bytes, at);
  return (
    bytes.charCodeAt(at) |
    (bytes.charCodeAt(at + 1) << 8) |
    (bytes.charCodeAt(at + 2) << 16) |
    (bytes.charCodeAt(at + 3) << 24)
  );
}

function paddedWord(bytes: string, at: number): number {
  let word = at > bytes.length ? 0 : 1 << (8 * (bytes.length - at));
  for (let index = at; index < bytes.length; index++) word |= bytes.charCodeAt(index) << (8 * (index - at));
  return word;
}

function xor(state: Int32Array, w0: number, w1: number, w2: number, w3: number): void {
  state[0] = (state[0] ?? 0) ^ w0;
  state[1] = (state[1] ?? 0) ^ w1;
  state[2] = (state[2] ?? 0) ^ w2;
  state[3] = (state[3] ?? 0) ^ w3;
}

function permute(state: Int32Array): void {
  let v0 = state[0] ?? 0;
  let v1 = state[1] ?? 0;
  let v2 = state[2] ?? 0;
  let v3 = state[3] ?? 0;
  for (let round = 0; round < rounds; round++) {
    v0 = (v0 + v1) | 0;
    v1 = rotated(v1, 5) ^ v0;
    v0 = rotated(v0, 16);
    v2 = (v2 + v3) | 0;
    v3 = rotated(v3, 8) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = rotated(v3, 13) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = rotated(v1, 7) ^ v2;
    v2 = rotated(v2, 16);
  }
  state[0] = v0;
  state[1] = v1;
  state[2] = v2;
  state[3] = v3;
}

function rotated(word: number, bits: number): number {
  return (word << bits) | (word >>> (32 - bits));
}
