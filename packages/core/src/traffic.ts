import { fieldValues } from './http/fields.js';
import { profileTag } from './profile.js';

/**
 * Whether a request carries one of our marks: a signature with our tag, an `Agent-*` field, or a token that names an
 * actor or is bound to a key. In mixed traffic anything that carries a mark must pass whole; the rest is left to the
 * application's own authentication. When in doubt it is marked: a delegated token must never pass for its user's.
 */
export function carriesOurMark(target: string, rawHeaders: readonly string[]): boolean {
  if (fieldValues(rawHeaders, 'signature-input').some((value) => value.includes(profileTag))) return true;
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]?.toLowerCase() ?? '';
    if (name.startsWith('agent-') || name === 'dpop') return true;
    if (holdsDelegatedToken(rawHeaders[index + 1] ?? '')) return true;
  }
  // RFC 6750 §2.3: applications still take tokens from the query.
  return holdsDelegatedToken(target);
}

/**
 * Looks for a JWT anywhere in the text, read as leniently as any application might read it (percent-encoding, padding,
 * either base64 alphabet), whose payload has `act` or `cnf` (RFC 8693 §4.1, RFC 7800 §3.1). Takes linear time: it reads
 * what strangers send.
 */
function holdsDelegatedToken(text: string): boolean {
  const words = unescapePercent(text).split(/[^\w\-+/=.]+/);
  return words.some((word) => word.split('.').slice(1, -1).some(isDelegatedPayload));
}

function isDelegatedPayload(part: string): boolean {
  const json = Buffer.from(part, 'base64').toString('utf8');
  const claims = json.trimStart().startsWith('{') ? parseJson(json) : undefined;
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
