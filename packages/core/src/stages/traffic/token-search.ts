/** The shortest base64 of an object with `act` or `cnf`. */
const minPartLength = 12;
const longWord = new RegExp(`[\\w\\-+/]{${minPartLength},}`, 'g');
/** Most texts that are parsed as JSON for one request: far more than honest ones carry, and little work. */
const maxParsed = 32;

/**
 * Whether one of the texts holds the payload of a JWT that names an actor or is bound to a key (`act`, RFC 8693 §4.1;
 * `cnf`, RFC 7800 §3.1), read as leniently as any application might read it: anywhere in the text, also without the
 * other parts of its token, percent-encoded twice, with either alphabet of base64, within up to two more layers of base64.
 * Linear in time, because it reads what strangers send; when there is more to parse than honest requests carry, the
 * answer is yes.
 */
export function holdsDelegatedToken(texts: Iterable<string>): boolean {
  let parsed = 0;

  function holds(text: string, layers: number): boolean {
    return partsOf(text).some((part) => {
      const decoded = Buffer.from(part, 'base64').toString('utf8').trim();
      if (/^[{[]/.test(decoded) && /[}\]]$/.test(decoded)) {
        parsed += 1;
        if (parsed > maxParsed || namesAnActor(parseJson(decoded))) return true;
      }
      return layers > 0 && holds(decoded, layers - 1);
    });
  }

  for (const text of texts) {
    if (holds(text, 2)) return true;
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

/** What could be base64. Padding ends a part, and is not needed. Some frameworks say `base64-` before a value. */
function partsOf(text: string): string[] {
  const parts = unescaped(text).match(longWord) ?? [];
  return parts.map((part) => part.replace(/^base64-/, '')).filter((part) => part.length >= minPartLength);
}

/** Percent-encoding, which some proxies and frameworks do twice, and the escapes of JSON. */
function unescaped(text: string): string {
  return fromPercent(fromPercent(text)).replace(/\\u([0-9A-Fa-f]{4})/g, fromHex);
}

function fromPercent(text: string): string {
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

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
