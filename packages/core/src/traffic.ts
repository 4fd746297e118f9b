import { fieldValues } from './http/fields.js';
import type { Settings } from './options.js';
import { webBotAuthTag } from './possession/by-web-bot-auth.js';
import { mentionsTag } from './possession/prove-possession.js';
import { profileTag } from './profile.js';

/**
 * Whether a request carries one of our marks: a signature with our tag, an `Agent-*` field, or a token that names an
 * actor or is bound to a key; also the other proofs that the guard accepts. In mixed traffic anything that carries a mark must pass whole; the rest is left to the
 * application's own authentication. When in doubt it is marked: a delegated token must never pass for its user's.
 */
export function carriesOurMark(target: string, rawHeaders: readonly string[], accepted: OtherProofs = {}): boolean {
  if (mentionsTag(rawHeaders, profileTag)) return true;
  if (accepted.webBotAuth !== undefined && mentionsTag(rawHeaders, webBotAuthTag)) return true;
  if (accepted.dpop !== undefined && fieldValues(rawHeaders, 'authorization').some(isDpopCredentials)) return true;
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]?.toLowerCase() ?? '';
    if (name.startsWith('agent-') || name === 'dpop') return true;
    const value = rawHeaders[index + 1] ?? '';
    if (holdsDelegatedToken(value) || holdsDelegatedToken(basicCredentials(value))) return true;
  }
  // RFC 6750 §2.3: applications still take tokens from the query.
  return holdsDelegatedToken(target);
}

/** What a guard accepts besides our signature, and so marks a request as meant for it. */
type OtherProofs = Partial<Pick<Settings, 'dpop' | 'webBotAuth'>>;

function isDpopCredentials(value: string): boolean {
  return /^\s*dpop\b/i.test(value);
}

/** RFC 7617: some applications take a token for a user name or a password. */
function basicCredentials(value: string): string {
  const [, encoded = ''] = /^basic +(\S+)/i.exec(value) ?? [];
  return Buffer.from(encoded, 'base64').toString('latin1');
}

/**
 * Looks for a JWT anywhere in the text, read as leniently as any application might read it (percent-encoding, padding,
 * either base64 alphabet), whose payload has `act` or `cnf` (RFC 8693 §4.1, RFC 7800 §3.1). Takes linear time: it reads
 * what strangers send.
 */
function holdsDelegatedToken(text: string): boolean {
  const words = unescapePercent(text).split(/[^\w\-+/=.]+/);
  // Some applications keep header and payload in one cookie and the signature in another, so that one dot will do.
  return words.some((word) => word.includes('.') && word.split('.').some(isDelegatedPayload));
}

function isDelegatedPayload(part: string): boolean {
  const json = Buffer.from(part, 'base64').toString('utf8');
  return json.trimStart().startsWith('{') && namesAnActor(parseJson(json));
}

/**
 * Whether the claims of a token name an actor or bind it to a key, so that it is no proof of who its user is. For your
 * own authentication in mixed traffic, wherever it takes tokens that a guard cannot see: opaque ones (RFC 7662) and
 * those in a form body (RFC 6750 §2.2).
 *
 * @example
 * if (namesAnActor(introspected)) return unauthorized();
 */
export function namesAnActor(claims: unknown): boolean {
  return typeof claims === 'object' && claims !== null && ('act' in claims || 'cnf' in claims);
}

function unescapePercent(text: string): string {
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_match, hex: string) => String.fromCharCode(Number.parseInt(hex, 16)));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
