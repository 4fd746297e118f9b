import { wireBounds } from '@countersign/common';
import { hasEscapes, readingsOf, unescaped } from './unescape.js';

/** Layers of base64 around the payload: its own, and up to two more. */
const maxLayers = 3;
/** Most words that are decoded for one request: far more than honest ones carry. */
const maxWords = 1024;
/** Most texts that are decoded as a whole, likewise: each takes a time of its own, however short it is. */
const maxWhole = 64;
/**
 * Most characters that are read for one request, in fields and in what they decode to. A field of one word is read five
 * times if no text is within it: as it is, its word, and in what each of four places decodes to, three quarters as long.
 * A text within it is read up to twice more, from four places, too.
 */
const maxRead = 5 * wireBounds.fieldsLength;
/** Most characters of texts within base64, which cost several times as much. */
const maxWithin = 1.25 * wireBounds.fieldsLength;
/** Most texts of one request that are parsed as JSON, and most that are unescaped. */
const maxTexts = 64;
/** Their length in all. */
const maxBytes = wireBounds.fieldsLength;
/** The shortest base64 of claims that name somebody: `{"act":{"sub":"a"}}`. */
const minNested = 26;
/** The length of the base64 of that. */
const minWhole = 35;

/** The length of the base64 of `{"act":1}`. */
const minWord = 12;
/** In both alphabets (RFC 4648 §4 and §5), as Node decodes it. */
const notBase64 = /[^A-Za-z0-9+/_-]/;
/** By byte: 1 for a character of either alphabet. */
const isBase64: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) =>
  notBase64.test(String.fromCharCode(byte)) ? 0 : 1,
);
/** Bytes of any kind at the start of a text within base64: they come of what stands before it. */
const longestPrefix = 16;
/** How the base64 of an object begins, behind something that may be base64 itself. */
const laterObject = /e(?:y[AIJ]|w[0og])/;

/**
 * Whether one of the texts holds the payload of a JWT that names an actor or is bound to a key (`act`, RFC 8693 §4.1;
 * `cnf`, RFC 7800 §3.1), read as leniently as applications commonly read it: anywhere in the text, also without the
 * other parts of its token, percent-encoded twice, with either alphabet of base64, within up to two more layers of
 * base64, behind a prefix, and with characters in a layer that decoders skip. A net below `namesAnActor`: not every
 * spelling is found. Of two more layers, the inner one must be part of a text. Linear in time, because it reads requests
 * of unverified clients; when there is more to parse than honest requests carry, the answer is yes.
 */
export function holdsDelegatedToken(texts: Iterable<string>): boolean {
  const search = new TokenSearch();
  for (const text of texts) {
    const [decoded = '', ...others] = readingsOf(text);
    if (search.findsInField(decoded) || others.some((one) => search.findsInBase64(one))) return true;
  }
  return false;
}

/**
 * Whether the claims of a token name an actor or bind it to a key, so that it is no proof of who its user is. For your
 * own authentication in mixed traffic, wherever it takes a token of an issuer that the guard trusts: the guard cannot be
 * sure to see one that is opaque (RFC 7662), in a form body (RFC 6750 §2.2), in a session, or in a spelling of its own.
 *
 * @example
 * if (namesAnActor(introspected)) return unauthorized();
 */
export function namesAnActor(claims: unknown): boolean {
  return typeof claims === 'object' && claims !== null && ('act' in claims || 'cnf' in claims);
}

/** Texts are strings of bytes (`latin1`), because the engine searches and decodes these fastest. */
class TokenSearch {
  #words = 0;
  readonly #whole = new Set<string>();
  #read = 0;
  #within = 0;
  readonly #parsed = new Budget();
  readonly #unescaped = new Budget();

  /**
   * Whether a field holds a payload. Decoders skip what is no base64. What stands before it, as `v1-`, a path or another
   * cookie, may be base64 itself, so all of the field is decoded from each of four places, too.
   */
  findsInField(text: string): boolean {
    return this.#findsWord(text, maxLayers) || this.findsInBase64(text);
  }

  /** Whether what is base64 in a field, as a whole, holds a payload. */
  findsInBase64(text: string): boolean {
    const base64 = onlyBase64(text);
    // Many readings of a text differ only in what is no base64.
    if (base64.length < minWhole || this.#whole.has(base64)) return false;
    this.#whole.add(base64);
    if (this.#whole.size > maxWhole) return true;
    return [0, 1, 2, 3].some((start) => this.#findsInEscaped(bytesOf(base64.slice(start)).toString('latin1')));
  }

  /** Not only in texts: what stands before the base64 of one decodes to bytes of any kind. */
  #findsInEscaped(text: string): boolean {
    if (this.#findsIn(text, maxLayers - 1)) return true;
    return hasEscapes(text) && this.#findsIn(unescaped(text), maxLayers - 1);
  }

  /** Whether a word of this text is a payload, or its words, alone or together, are the base64 of a text with one. */
  #findsIn(text: string, layers: number): boolean {
    if (this.#findsWord(text, layers)) return true;
    if (layers === 1 || !isText(text)) return false;
    if (this.#isTooMuch(text)) return true;
    const base64 = onlyBase64(text);
    return [0, 1, 2, 3].some((start) => this.#isWithin(bytesOf(base64.slice(start)), layers - 1));
  }

  #findsWord(text: string, layers: number): boolean {
    this.#read += text.length;
    return this.#read > maxRead || wordsOf(text).some((word) => this.#isIn(word, layers));
  }

  #isIn(word: string, layers: number): boolean {
    this.#words += 1;
    this.#read += word.length;
    if (this.#words > maxWords || this.#read > maxRead) return true;
    const decoded = bytesOf(word);
    if (this.#holdsPayload(decoded, layers)) return true;
    const later = word.slice(1).search(laterObject);
    if (later === -1) return false;
    // Of a field, every place is decoded in any case; a word that decodes to text has been searched.
    const isSearched = layers === maxLayers || isText(decoded.toString('latin1'));
    return this.#holdsPayload(bytesOf(word.slice(1 + later)), isSearched ? 1 : layers);
  }

  #holdsPayload(decoded: Buffer, layers: number): boolean {
    if (this.#isPayload(decoded)) return true;
    return layers > 1 && decoded.length >= minNested && this.#isWithin(decoded, layers - 1);
  }

  #isWithin(bytes: Buffer, layers: number): boolean {
    const text = bytes.toString('latin1');
    // Of a field, every place is decoded in any case, also of what is no text.
    if (!isText(text)) return layers < maxLayers - 1 && this.#findsWord(text, layers);
    if (this.#isTooMuch(text)) return true;
    if (!hasEscapes(text)) return this.#findsIn(text, layers);
    // Escapes take as long as another layer.
    if (this.#isTooMuch(text) || !this.#unescaped.takes(text.length)) return true;
    return this.#findsIn(unescaped(text), layers);
  }

  #isTooMuch(text: string): boolean {
    this.#within += text.length;
    return this.#within > maxWithin;
  }

  #isPayload(bytes: Buffer): boolean {
    const object = objectIn(bytes);
    if (object === undefined) return false;
    return !this.#parsed.takes(object.length) || (mayName(object) && namesAnActor(parseJson(object)));
  }
}

class Budget {
  #texts = maxTexts;
  #bytes = maxBytes;

  /** Takes one text of this length; false if it is too much. */
  takes(length: number): boolean {
    this.#texts -= 1;
    this.#bytes -= length;
    return this.#texts >= 0 && this.#bytes >= 0;
  }
}

// By byte: an expression would take up to eight times as long on untrusted input.

/** The runs of base64 that are long enough. Looks for an end from the end of the shortest word, so it skips what is too short. */
function wordsOf(text: string): string[] {
  const bytes = Buffer.from(text, 'latin1');
  const found: string[] = [];
  let start = 0;
  while (start + minWord <= bytes.length) {
    let at = start + minWord - 1;
    while (at >= start && isBase64[bytes[at] ?? 0] === 1) at -= 1;
    if (at < start) {
      at = start + minWord;
      while (at < bytes.length && isBase64[bytes[at] ?? 0] === 1) at += 1;
      found.push(text.slice(start, at));
    }
    start = at + 1;
  }
  return found;
}

function onlyBase64(text: string): string {
  const bytes = Buffer.from(text, 'latin1');
  let length = 0;
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at] ?? 0;
    bytes[length] = byte;
    length += isBase64[byte] ?? 0;
  }
  return bytes.toString('latin1', 0, length);
}

function bytesOf(word: string): Buffer {
  return Buffer.from(word, 'base64');
}

// oxlint-disable-next-line no-control-regex -- control characters are what it looks for
const control = /[\x00-\x08\x0b\x0c\x0e-\x1f]/;

function isText(text: string): boolean {
  return !control.test(text.slice(longestPrefix));
}

/** What may be an object, without what stands before and behind it: in a path or a signed cookie, a word goes on. */
function objectIn(bytes: Buffer): Buffer | undefined {
  let first = 0;
  while (first < bytes.length && isSpace(bytes[first])) first += 1;
  const last = bytes.lastIndexOf(0x7d);
  return bytes[first] === 0x7b && last > first ? bytes.subarray(first, last + 1) : undefined;
}

/** White space of JSON and of `trim`, of which the bytes beyond ASCII (a byte order mark, a no-break space) are taken loosely. */
function isSpace(byte = 0): boolean {
  return byte <= 0x20 || byte >= 0x80;
}

/** Whether JSON may have such a member, also by an escape: an error for a text that is none takes ten times as long as JSON. */
function mayName(bytes: Buffer): boolean {
  return bytes.includes('"act"') || bytes.includes('"cnf"') || bytes.includes('\\');
}

function parseJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch {
    return undefined;
  }
}
