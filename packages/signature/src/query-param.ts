/** The value of a query parameter, or `'malformed'`. */
export type QueryParameter = { readonly value: string } | 'malformed';

/**
 * The named query parameters, re-encoded (RFC 9421 §2.2.8). `'malformed'` is one whose name occurs more than once,
 * because then the application may act on the one that was not signed, or that is not UTF-8, because then different
 * bytes would share one value. Read once for all components of a signature: a stranger may cover many.
 */
export function queryParameters(query: string): ReadonlyMap<string, QueryParameter> {
  const found = new Map<string, QueryParameter>();
  for (const [key, text] of new URLSearchParams(query)) {
    const name = reencode(key);
    const broken = found.has(name) || text.includes('\uFFFD') || key.includes('\uFFFD');
    found.set(name, broken ? 'malformed' : { value: reencode(text) });
  }
  return found;
}

const UNRESERVED_BY_URI_COMPONENT = /[!'()~]/g;

/** The application/x-www-form-urlencoded percent-encode set of the URL standard, with a space as %20. */
function reencode(text: string): string {
  return encodeURIComponent(text).replace(
    UNRESERVED_BY_URI_COMPONENT,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
