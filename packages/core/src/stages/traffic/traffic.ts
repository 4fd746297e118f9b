import { chunkedCookies } from './chunked-cookies.js';
import { fieldsTooLarge, fieldValues } from '../address/fields.js';
import type { Settings } from '../../options/options.js';
import { webBotAuthTag } from '../possession/by-web-bot-auth.js';
import { mentionsTag } from '../possession/prove-possession.js';
import { profileTag } from '@countersign/common';
import { holdsDelegatedToken } from './token-search.js';

/** More than browsers keep for one site. */
const maxCookies = 256;

/**
 * Whether a request carries one of our marks: a signature with our tag, an `Agent-*` field, or a token that names an
 * actor or is bound to a key; also the other proofs that the guard accepts. In mixed traffic anything that carries a mark
 * must pass whole; the rest is left to the application's own authentication. When in doubt it is marked: a delegated token must never pass for its user's.
 */
export function carriesOurMark(target: string, rawHeaders: readonly string[], accepted: OtherProofs = {}): boolean {
  // Nobody looks through that much, so nobody knows what is in it.
  if (fieldsTooLarge(target, rawHeaders)) return true;
  if (mentionsTag(rawHeaders, profileTag)) return true;
  if (accepted.webBotAuth !== undefined && mentionsTag(rawHeaders, webBotAuthTag)) return true;
  if (accepted.dpop !== undefined && fieldValues(rawHeaders, 'authorization').some(isDpopCredentials)) return true;
  if (rawHeaders.some((text, index) => index % 2 === 0 && isOurField(text.toLowerCase()))) return true;
  const cookies = fieldValues(rawHeaders, 'cookie');
  if (cookies.join(';').split(';', maxCookies + 1).length > maxCookies) return true;
  const values = rawHeaders.filter((_text, index) => index % 2 === 1);
  // RFC 6750 §2.3: applications still take tokens from the query.
  return holdsDelegatedToken([target, ...values, ...chunkedCookies(cookies)]);
}

function isOurField(name: string): boolean {
  return name.startsWith('agent-') || name === 'dpop';
}

/** What a guard accepts besides our signature, and so marks a request as meant for it. */
type OtherProofs = Partial<Pick<Settings, 'dpop' | 'webBotAuth'>>;

function isDpopCredentials(value: string): boolean {
  return /^\s*dpop\b/i.test(value);
}
