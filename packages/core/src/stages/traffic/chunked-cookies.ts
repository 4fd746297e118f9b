/** More than honest clients carry: a search of each takes a fixed time, too. */
const maxValues = 24;
/** Longest name of a cookie, likewise. */
const maxName = 256;
/** Most digits of a number behind a name that ends in a digit itself (`session2`, `session21`). */
const maxDigits = 3;

/**
 * The chunks of the values that were too long for one cookie and so were put in several: `name.0`, `name.1`, or `name`,
 * `name-1`. Applications differ in the first number, the separator, and the gaps, zeros and equal names that they accept.
 * Each of these readings is a value of its own, because a decoy must not hide the rest; one that only omits the start of
 * another is not, because the search finds a payload behind a prefix. Undefined if they are too many, a name is too long,
 * or parsers do not agree on a name.
 */
export function chunkedCookies(fields: readonly string[]): readonly string[][] | undefined {
  const cookies = fields.join(';').split(';').map(readCookie);
  if (cookies.some(({ name, isPlain }) => name.length > maxName || !isPlain)) return undefined;
  const values = new Map<string, string[]>();
  for (const chunks of readings(cookies)) {
    if (chunks.length < 2) continue;
    // Without a decoy these are the same chunks.
    const key = chunks.map(({ at }) => at).join();
    values.set(
      key,
      chunks.map(({ value }) => value),
    );
    if (values.size > maxValues) return undefined;
  }
  return [...values.values()];
}

interface Cookie {
  readonly at: number;
  readonly name: string;
  /** Whether all parsers read the same name: some strip only blanks, others also tabs and no-break spaces. */
  readonly isPlain: boolean;
  readonly value: string;
  /** How many digits its name ends in. */
  readonly digits: number;
}

interface Chunk {
  readonly cookie: Cookie;
  readonly number: number;
  /** Whether the number has no leading zeros. */
  readonly isPlain: boolean;
}

function readCookie(cookie: string, at: number): Cookie {
  const equals = cookie.indexOf('=');
  const given = cookie.slice(0, Math.max(equals, 0));
  const name = given.trim();
  // An expression on all of a long name would take as long as the search.
  let digits = 0;
  while (isDigit(name.charCodeAt(name.length - 1 - digits))) digits += 1;
  const start = given.indexOf(name);
  return {
    at,
    name,
    isPlain: !/[^ ]/.test(given.slice(0, start) + given.slice(start + name.length)),
    value: cookie.slice(equals + 1).replace(/[\s"]/g, ''),
    digits,
  };
}

function isDigit(code: number): boolean {
  return code >= 0x30 && code <= 0x39;
}

/** All separators together, and each by itself with the first and with the last of equal names. */
function* readings(cookies: readonly Cookie[]): Iterable<readonly Cookie[]> {
  const inAnySpelling = new Map<string, Chunk[]>();
  for (const cookie of cookies) {
    const [base, chunk] = chunkOf(cookie, cookie.digits);
    push(inAnySpelling, base.replace(/[._-]$/, ''), chunk);
  }
  for (const chunks of inAnySpelling.values()) if (chunks.length > 1) yield sorted(chunks).map(({ cookie }) => cookie);
  const last = new Map(cookies.map((cookie) => [cookie.name, cookie]));
  yield* readingsOf(last);
  if (last.size < cookies.length) yield* readingsOf(firstOfEach(cookies));
}

function* readingsOf(cookies: ReadonlyMap<string, Cookie>): Iterable<readonly Cookie[]> {
  const numbered = new Map<string, Chunk[]>();
  for (const cookie of cookies.values()) {
    if (cookie.digits > 0) push(numbered, ...chunkOf(cookie, cookie.digits));
    for (let digits = 1; digits < cookie.digits && digits <= maxDigits; digits += 1) {
      const [base, chunk] = chunkOf(cookie, digits);
      if (chunk.isPlain) push(numbered, base, chunk);
    }
  }
  for (const [base, chunks] of numbered) {
    const names = /[._-]$/.test(base) ? [base, base.slice(0, -1)] : [base];
    const firsts = names.flatMap((name) => cookies.get(name) ?? []);
    if (chunks.length + firsts.length > 1) yield* readingsOfOne(firsts, sorted(chunks));
  }
}

/** All numbers, those without leading zeros, and of these those up to a gap; behind a first chunk from 0 and from 1. */
function* readingsOfOne(firsts: readonly Cookie[], chunks: readonly Chunk[]): Iterable<readonly Cookie[]> {
  const plain = chunks.filter(({ isPlain }) => isPlain);
  const parts = [plain, withoutGap(plain)];
  if (firsts.length > 0) {
    const fromOne = plain.filter(({ number }) => number > 0);
    parts.push(
      chunks.filter(({ number }) => number > 0),
      fromOne,
      withoutGap(fromOne),
    );
  }
  for (const part of [chunks, ...parts.filter(({ length }) => length < chunks.length)]) {
    const numbered = part.map(({ cookie }) => cookie);
    if (firsts.length === 0) yield numbered;
    for (const first of firsts) yield [first, ...numbered];
  }
}

function chunkOf(cookie: Cookie, digits: number): [base: string, Chunk] {
  const base = cookie.name.slice(0, cookie.name.length - digits);
  const number = cookie.name.slice(base.length);
  return [
    base,
    { cookie, number: digits === 0 ? -1 : Number(number), isPlain: digits === 1 || !number.startsWith('0') },
  ];
}

function withoutGap(chunks: readonly Chunk[]): readonly Chunk[] {
  const start = chunks[0]?.number ?? 0;
  if (start > 1) return [];
  const end = chunks.findIndex(({ number }, index) => number !== start + index);
  return end === -1 ? chunks : chunks.slice(0, end);
}

function sorted(chunks: readonly Chunk[]): Chunk[] {
  return chunks.toSorted((one, other) => one.number - other.number);
}

function firstOfEach(cookies: readonly Cookie[]): Map<string, Cookie> {
  const first = new Map<string, Cookie>();
  for (const cookie of cookies) if (!first.has(cookie.name)) first.set(cookie.name, cookie);
  return first;
}

function push(chunks: Map<string, Chunk[]>, base: string, chunk: Chunk): void {
  const others = chunks.get(base);
  if (others === undefined) chunks.set(base, [chunk]);
  else others.push(chunk);
}
