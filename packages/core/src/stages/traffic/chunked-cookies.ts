/** More than honest clients carry: a search of each takes a fixed time, too. */
const maxValues = 24;
/** Longest name of a cookie, likewise. */
const maxName = 256;

/**
 * The chunks of the values that were too long for one cookie and so were put in several: `name.0`, `name.1`, or `name`,
 * `name-1`. Each spelling is taken by itself, with the first and with the last of equal names, and all together, because
 * applications differ and a decoy must not hide the rest. Undefined if they are too many, or a name is too long.
 */
export function chunkedCookies(fields: readonly string[]): readonly string[][] | undefined {
  const cookies = fields.join(';').split(';').map(readCookie);
  if (cookies.some(({ name }) => name.length > maxName)) return undefined;
  const values = new Map<string, string[]>();
  for (const chunks of [
    ...grouped(cookies, ({ anySpelling }) => [anySpelling]),
    ...grouped(firstOfEach(cookies), ({ oneSpelling }) => oneSpelling),
    ...grouped(firstOfEach(cookies.toReversed()), ({ oneSpelling }) => oneSpelling),
  ]) {
    // Without a decoy these are the same chunks.
    const key = chunks.map(({ at }) => at).join();
    values.set(
      key,
      chunks.map(({ value }) => value),
    );
  }
  return values.size > maxValues ? undefined : [...values.values()];
}

interface Cookie {
  readonly at: number;
  readonly name: string;
  readonly value: string;
  /** A cookie without a number is the first. */
  readonly number: number;
  /** The names of the values that it may be a part of. */
  readonly anySpelling: string;
  readonly oneSpelling: readonly string[];
}

function readCookie(cookie: string, at: number): Cookie {
  const equals = cookie.indexOf('=');
  const name = cookie.slice(0, Math.max(equals, 0)).trim();
  // An expression on all of a long name would take as long as the search.
  const tail = name.slice(-4);
  const [end = '', digits = ''] = /[._-]?(\d{0,3})$/.exec(tail) ?? [];
  const isNumbered = /(?:^|\D)(?:0|[1-9]\d{0,2})$/.test(tail);
  return {
    at,
    name,
    value: cookie.slice(equals + 1).replace(/[\s"]/g, ''),
    number: digits === '' ? -1 : Number(digits),
    anySpelling: withoutEnd(name, end),
    oneSpelling: isNumbered ? [withoutEnd(name, digits)] : ['', '.', '-', '_'].map((mark) => name + mark),
  };
}

function withoutEnd(name: string, end: string): string {
  return name.slice(0, name.length - end.length);
}

function firstOfEach(cookies: readonly Cookie[]): Cookie[] {
  const seen = new Map<string, Cookie>();
  for (const cookie of cookies) if (!seen.has(cookie.name)) seen.set(cookie.name, cookie);
  return [...seen.values()];
}

/** The groups of at least two, each in the order of its chunks. */
function grouped(cookies: readonly Cookie[], namesOf: (cookie: Cookie) => readonly string[]): Cookie[][] {
  const chunks = new Map<string, Cookie[]>();
  for (const cookie of cookies) {
    for (const name of namesOf(cookie)) {
      const others = chunks.get(name);
      if (others === undefined) chunks.set(name, [cookie]);
      else others.push(cookie);
    }
  }
  return [...chunks.values()]
    .filter(({ length }) => length > 1)
    .map((group) => group.toSorted((one, other) => one.number - other.number));
}
