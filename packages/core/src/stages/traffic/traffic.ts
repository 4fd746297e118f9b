import { fieldsTooLarge, type IndexedRequest, mentionsTag } from '../../model/request.js';
import { hidesFields } from '../address/one-view.js';
import { chunkedCookies } from './chunked-cookies.js';
import { holdsDelegatedToken } from './token-search.js';
import { hasReadings } from './unescape.js';

type Marked = Pick<IndexedRequest, 'target' | 'rawHeaders' | 'headers' | 'fields'>;

/** The proofs that a guard accepts: each marks a request as meant for it. */
export interface AcceptedProofs {
  /** Of signatures. */
  readonly tags: readonly string[];
  readonly dpop: boolean;
}

/** More than browsers keep for one site. */
const maxCookies = 256;

/**
 * Whether a request carries one of our marks: a signature with our tag, an `Agent-*` field, or a token that names an
 * actor or is bound to a key; also the other proofs that the guard accepts. In mixed traffic anything that carries a mark
 * must pass whole; the rest is left to the application's own authentication. When in doubt it is marked: a delegated token must never pass for its user's.
 */
export function carriesOurMark(request: Marked, { tags, dpop }: AcceptedProofs): boolean {
  const { target, rawHeaders, fields } = request;
  // Nobody looks through that much, so nobody knows what is in it.
  if (fieldsTooLarge(target, rawHeaders) || hidesFields(request)) return true;
  if (tags.some((tag) => mentionsTag(fields, tag))) return true;
  if (dpop && fields.raw('authorization').some(isDpopCredentials)) return true;
  if (rawHeaders.some((text, index) => index % 2 === 0 && isOurField(text.toLowerCase()))) return true;
  const cookies = fields.raw('cookie');
  if (cookies.join(';').split(';', maxCookies + 1).length > maxCookies) return true;
  const chunked = chunkedCookies(cookies);
  return chunked === undefined || holdsDelegatedToken(placesOfTokens({ target, rawHeaders, fields }, chunked));
}

/** Lines and chunks are joined only when the search comes to them. */
function* placesOfTokens(
  { target, rawHeaders, fields }: Omit<Marked, 'headers'>,
  chunked: readonly string[][],
): Iterable<string> {
  // RFC 6750 §2.3: applications still take tokens from the query.
  yield target;
  yield* rawHeaders.filter((_text, index) => index % 2 === 1 && rawHeaders[index - 1]?.toLowerCase() !== 'cookie');
  // Over HTTP/2 each is a line of its own.
  yield* alikeCookies(fields.raw('cookie').join(';').split(';'));
  // As the application reads a field of several lines (RFC 9110 §5.3).
  for (const name of fields.names()) {
    const lines = fields.raw(name);
    if (lines.length > 1 && name !== 'cookie') yield lines.join(', ');
  }
  for (const chunks of chunked) yield chunks.join('');
}

/** Those with escapes apart: what may be read in several ways takes as much of what the search reads. */
function alikeCookies(cookies: readonly string[]): readonly string[] {
  const [plain, escaped] = [cookies.filter((cookie) => !hasReadings(cookie)), cookies.filter(hasReadings)];
  return [plain.join(';'), escaped.join(';')];
}

function isOurField(name: string): boolean {
  return name.startsWith('agent-') || name === 'dpop';
}

function isDpopCredentials(value: string): boolean {
  return /^\s*dpop\b/i.test(value);
}
