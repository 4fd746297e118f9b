import { base64Bytes, base64Only, isBase64 } from './base64.js';

/** The shortest base64 of an object with `act` or `cnf`. */
const minWordLength = 12;
/** Layers of base64 around the payload: its own, and up to two more. */
const maxLayers = 3;
/** Most texts that are parsed as JSON, and most that are unescaped, for one request: far more than honest ones carry. */
const maxParsed = 32;

/**
 * Whether one of the texts holds the payload of a JWT that names an actor or is bound to a key (`act`, RFC 8693 §4.1;
 * `cnf`, RFC 7800 §3.1), read as leniently as any application might read it: anywhere in the text, also without the
 * other parts of its token, percent-encoded twice, with either alphabet of base64, within up to two more layers of
 * base64, behind a prefix, and with characters in it that decoders skip. Linear in time and without garbage, because it
 * reads requests of unverified clients; when there is more to parse than honest requests carry, the answer is yes.
 */
export function holdsDelegatedToken(texts: Iterable<string>): boolean {
  const search = new TokenSearch();
  for (const text of texts) {
    const bytes = Buffer.from(unescaped(text));
    if (search.findsIn(bytes, maxLayers) || search.findsAcross(base64Only(bytes), maxLayers)) return true;
  }
  return false;
}

/**
 * Whether the claims of a token name an actor or bind it to a key, so that it is no proof of who its user is. For your
 * own authentication in mixed traffic, wherever it takes tokens that a guard cannot be sure to see: opaque ones
 * (RFC 7662), those in a form body (RFC 6750 §2.2), and those in a session of your own.
 *
 * @example
 * if (namesAnActor(introspected)) return unauthorized();
 */
export function namesAnActor(claims: unknown): boolean {
  return typeof claims === 'object' && claims !== null && ('act' in claims || 'cnf' in claims);
}

class TokenSearch {
  #parsed = 0;
  #unescaped = 0;

  /** Whether a word of this text is a payload, or the base64 of a text with such a word. */
  findsIn(text: Uint8Array, layers: number): boolean {
    for (let start = 0; start < text.length; ) {
      let end = start;
      while (end < text.length && isBase64(text[end])) end += 1;
      if (end - start >= minWordLength && this.#isIn(text, start, end, layers)) return true;
      start = end + 1;
    }
    return false;
  }

  /**
   * Whether the base64 of a text, without the characters that decoders skip, holds another text with such a word. At each
   * of four places, since what stands before it, as `v1-` or a path, may be base64 itself.
   */
  findsAcross(base64: Uint8Array, layers: number): boolean {
    if (base64.length < minWordLength) return false;
    return [0, 1, 2, 3].some((start) => this.findsIn(base64Bytes(base64, start, base64.length), layers - 1));
  }

  #isIn(text: Uint8Array, start: number, end: number, layers: number): boolean {
    // Some frameworks write `base64-` before a value.
    const from = startsWithMark(text, start) ? start + base64Mark.length : start;
    const decoded = base64Bytes(text, from, end);
    if (isJsonLike(decoded)) {
      this.#parsed += 1;
      if (this.#parsed > maxParsed || namesAnActor(parseJson(decoded))) return true;
    }
    if (layers === 1 || decoded.length < minWordLength) return false;
    if (!decoded.includes(percent) && !decoded.includes(backslash)) return this.findsIn(decoded, layers - 1);
    this.#unescaped += 1;
    if (this.#unescaped > maxParsed) return true;
    return this.findsIn(Buffer.from(unescaped(Buffer.from(decoded).toString('utf8'))), layers - 1);
  }
}

const [percent, backslash] = [0x25, 0x5c];
const base64Mark = Buffer.from('base64-');

function startsWithMark(text: Uint8Array, start: number): boolean {
  return base64Mark.every((byte, index) => text[start + index] === byte);
}

/** Only what may be an object or an array is parsed, white space around it apart. */
function isJsonLike(bytes: Uint8Array): boolean {
  let [first, last] = [0, bytes.length - 1];
  while (first < last && isSpace(bytes[first])) first += 1;
  while (last > first && isSpace(bytes[last])) last -= 1;
  const [opening, closing] = [bytes[first], bytes[last]];
  return (opening === 0x7b || opening === 0x5b) && (closing === 0x7d || closing === 0x5d);
}

/** White space of JSON and of `trim`, of which the bytes beyond ASCII (a byte order mark, a no-break space) are taken loosely. */
function isSpace(byte = 0): boolean {
  return byte <= 0x20 || byte >= 0x80;
}

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(Buffer.from(bytes).toString('utf8').trim());
  } catch {
    return undefined;
  }
}

/** Percent-encoding, which some proxies and frameworks do twice, and the escapes of JSON. */
function unescaped(text: string): string {
  const decoded = fromPercent(fromPercent(text));
  return decoded.includes('\\u') ? decoded.replace(/\\u([0-9A-Fa-f]{4})/g, fromHex) : decoded;
}

function fromPercent(text: string): string {
  if (!text.includes('%')) return text;
  const [first = '', ...rest] = text.split('%');
  return rest.reduce((decoded, piece) => {
    const character = characters.get(piece.slice(0, 2).toLowerCase());
    return decoded + (character === undefined ? `%${piece}` : character + piece.slice(2));
  }, first);
}

/** By two hexadecimal digits. */
const characters: ReadonlyMap<string, string> = new Map(
  Array.from({ length: 256 }, (_, code) => [code.toString(16).padStart(2, '0'), String.fromCharCode(code)]),
);

function fromHex(_match: string, hex: string): string {
  return String.fromCharCode(Number.parseInt(hex, 16));
}
