import { randomBytes } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { SignedInUser } from '../options/authority-options.js';
import { notEnded } from '../delegation/ends.js';
import { sql, type Statement, type Store, textOf } from '../storage/store.js';
import { tokenDigestText } from '../storage/token-digest.js';

/** Cookies of the authority. On https, browsers take them from this host only, and from no page without TLS. */
export interface Cookies {
  /** Undefined also if it stands twice: one of both is from elsewhere. */
  read(request: IncomingMessage, name: string): string | undefined;
  /** The field that sets a cookie. Without a value it removes it. */
  write(name: string, value: string, seconds: number): string;
}

export function createCookies({ protocol }: URL): Cookies {
  const secure = protocol === 'https:';
  const fullName = (name: string): string => `${secure ? '__Host-' : ''}countersign-${name}`;
  return {
    read(request, name) {
      const start = `${fullName(name)}=`;
      const found = (request.headers.cookie ?? '').split(/; */).filter((pair) => pair.startsWith(start));
      return found.length === 1 ? found[0]?.slice(start.length) : undefined;
    },
    // Lax, because agents and the provider lead here from other sites.
    write: (name, value, seconds) =>
      `${fullName(name)}=${value}; Path=/; Max-Age=${seconds}; HttpOnly; SameSite=Lax${secure ? '; Secure' : ''}`,
  };
}

/** Who is signed in, in which browser. The cookie is a random secret, of which the database has a digest. */
export interface Sessions {
  userOf(request: IncomingMessage): Promise<SignedInUser | undefined>;
  /**
   * A new session; that of the browser until now ends. Returns the field that sets its cookie. Undefined: the user was
   * revoked since the sign-in began. `begunAt`: by the clock of the database.
   */
  begin(request: IncomingMessage, user: SignedInUser, begunAt: number): Promise<string | undefined>;
  /** Ends the session. Returns the field that removes its cookie. */
  end(request: IncomingMessage): Promise<string>;
}

/** Providers keep a session of their own, so that a new sign-in asks nothing. A user who is locked out there is out here in this time. */
const sessionSeconds = 3600;
const cookieName = 'session';

export function createSessions(store: Store, cookies: Cookies, now: () => number): Sessions {
  const digestIn = (request: IncomingMessage): string => tokenDigestText(cookies.read(request, cookieName) ?? '');
  const removal = (request: IncomingMessage): Statement =>
    sql`DELETE FROM countersign_sessions WHERE digest = ${digestIn(request)}`;

  return {
    async userOf(request) {
      if (cookies.read(request, cookieName) === undefined) return undefined;
      const [row] = await store.run(sql`
        SELECT subject, name, facts FROM countersign_sessions WHERE digest = ${digestIn(request)} AND expires_at > ${now()}`);
      if (row === undefined) return undefined;
      const facts = JSON.parse(textOf(row, 'facts')) as Omit<SignedInUser, 'subject' | 'name'>;
      return { ...facts, subject: textOf(row, 'subject'), name: textOf(row, 'name') };
    },

    async begin(request, { subject, name = subject, ...facts }, begunAt) {
      const secret = randomBytes(32).toString('base64url');
      const done = await store.batch([
        ...notEnded({ subject, agent: '', grantedAt: begunAt }),
        removal(request),
        sql`INSERT INTO countersign_sessions (digest, subject, name, facts, expires_at)
          VALUES (${tokenDigestText(secret)}, ${subject}, ${name}, ${JSON.stringify(facts)}, ${now() + sessionSeconds})`,
      ]);
      return done && cookies.write(cookieName, secret, sessionSeconds);
    },

    async end(request) {
      await store.run(removal(request));
      return cookies.write(cookieName, '', 0);
    },
  };
}
