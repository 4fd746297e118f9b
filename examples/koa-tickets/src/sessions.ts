import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';

/** Authenticates people as in any web application: a password once, then a cookie. */
export class Sessions {
  readonly #passwords: ReadonlyMap<string, string>;
  readonly #people = new Map<string, string>();

  constructor(passwords: Readonly<Record<string, string>>) {
    this.#passwords = new Map(Object.entries(passwords));
  }

  /** The secret of a new session, or undefined if the name or the password is wrong. */
  signIn(name: string, password: string): string | undefined {
    const known = this.#passwords.get(name);
    if (known === undefined || !sameSecret(known, password)) return undefined;
    const secret = randomBytes(32).toString('base64url');
    this.#people.set(secret, name);
    return secret;
  }

  personOf(secret: string | undefined): string | undefined {
    return secret === undefined ? undefined : this.#people.get(secret);
  }
}

/** Compares in constant time, for any lengths. */
function sameSecret(one: string, other: string): boolean {
  const [a, b] = [one, other].map((text) => createHash('sha256').update(text).digest());
  return a !== undefined && b !== undefined && timingSafeEqual(a, b);
}
