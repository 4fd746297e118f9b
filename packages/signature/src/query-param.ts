import { LIMITS } from './limits.js';

/** The value of a query parameter, or `'malformed'`. */
export type QueryParameter = { readonly value: string } | 'malformed';

/**
 * The named query parameters, re-encoded (RFC 9421 §2.2.8). A parameter is `'malformed'` if its name occurs more
 * than once, because the application may act on the unsigned one, or if it is not UTF-8, because different bytes would
 * share one value. `undefined` if the query exceeds its limits.
 */
export function queryParameters(query: string): ReadonlyMap<string, QueryParameter> | undefined {
  const { queryLength, queryParameters: most } = LIMITS;
  if (query.length > queryLength || query.split('&', most + 1).length > most) return undefined;
  const found = new Map<string, QueryParameter>();
  for (const [key, text] of new URLSearchParams(query)) {
    const name = reencode(key);
    const broken = found.has(name) || text.includes('\uFFFD') || key.includes('\uFFFD');
    found.set(name, broken ? 'malformed' : { value: reencode(text) });
  }
  return found;
}

const UNRESERVED_BY_URI_COMPONENT = [
  ['!', '%21'],
  ["'", '%27'],
  ['(', '%28'],
  [')', '%29'],
  ['~', '%7E'],
] as const;

/** The application/x-www-form-urlencoded percent-encode set of the URL standard, with a space as %20. */
function reencode(text: string): string {
  return UNRESERVED_BY_URI_COMPONENT.reduce(
    (encoded, [character, escape]) => encoded.replaceAll(character, escape),
    encodeURIComponent(text),
  );
}
