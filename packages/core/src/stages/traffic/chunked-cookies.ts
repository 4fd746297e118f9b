/** A cookie can be a part of several values, if their names are spelled in several ways: more than honest ones carry. */
const mostCopies = 3;

/**
 * The values that were too long for one cookie and so were put in several, together again: `name.0`, `name.1`, or
 * `name`, `name-1`. Values that are whole are left out. Each spelling is joined by itself, with the first and with the
 * last of equal names, and all together, because applications differ and a decoy must not hide the rest. Undefined if
 * they are more than three times as long as the cookies.
 */
export function chunkedCookies(fields: readonly string[]): ReadonlySet<string> | undefined {
  const text = fields.join(';');
  const cookies = text.split(';').map(readCookie);
  const values = new Set([
    ...joined(cookies, anySpelling),
    ...joined(firstOfEach(cookies), oneSpelling),
    ...joined(firstOfEach(cookies.toReversed()), oneSpelling),
  ]);
  const length = [...values].reduce((sum, value) => sum + value.length, 0);
  return length > mostCopies * text.length ? undefined : values;
}

interface Cookie {
  readonly name: string;
  readonly value: string;
}

function readCookie(cookie: string): Cookie {
  const at = cookie.indexOf('=');
  return { name: cookie.slice(0, Math.max(at, 0)).trim(), value: cookie.slice(at + 1).replace(/[\s"]/g, '') };
}

function firstOfEach(cookies: readonly Cookie[]): Cookie[] {
  const seen = new Map<string, Cookie>();
  for (const cookie of cookies) if (!seen.has(cookie.name)) seen.set(cookie.name, cookie);
  return [...seen.values()];
}

/** The names of the values that a cookie may be a part of. */
type Spelling = (name: string) => readonly string[];

const anySpelling: Spelling = (name) => [name.replace(/[._-]?\d{0,3}$/, '')];
const oneSpelling: Spelling = (name) =>
  /(?:^|\D)(?:0|[1-9]\d{0,2})$/.test(name)
    ? [name.replace(/\d+$/, '')]
    : ['', '.', '-', '_'].map((mark) => name + mark);

function joined(cookies: readonly Cookie[], namesOf: Spelling): string[] {
  const chunks = new Map<string, Cookie[]>();
  for (const cookie of cookies) {
    for (const name of namesOf(cookie.name)) {
      const others = chunks.get(name);
      if (others === undefined) chunks.set(name, [cookie]);
      else others.push(cookie);
    }
  }
  return [...chunks.values()].filter(({ length }) => length > 1).map(inOrder);
}

function inOrder(cookies: readonly Cookie[]): string {
  return cookies
    .toSorted((one, other) => numberOf(one.name) - numberOf(other.name))
    .map(({ value }) => value)
    .join('');
}

/** A cookie without a number is the first. */
function numberOf(name: string): number {
  const [digits = '-1'] = /\d{1,3}$/.exec(name) ?? [];
  return Number(digits);
}
