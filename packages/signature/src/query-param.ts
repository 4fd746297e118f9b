/**
 * The value of a named query parameter, re-encoded (RFC 9421 §2.2.8). `'malformed'` if the name occurs more than once,
 * because then the application may act on the one that was not signed, or if it is not UTF-8, because then different
 * bytes would share one value.
 */
export function queryParameter(query: string, name: string): { readonly value: string } | 'missing' | 'malformed' {
  let value: string | undefined;
  for (const [key, text] of new URLSearchParams(query)) {
    if (reencode(key) !== name) continue;
    if (value !== undefined || text.includes('\uFFFD') || key.includes('\uFFFD')) return 'malformed';
    value = reencode(text);
  }
  return value === undefined ? 'missing' : { value };
}

const UNRESERVED_BY_URI_COMPONENT = /[!'()~]/g;

/** The application/x-www-form-urlencoded percent-encode set of the URL standard, with a space as %20. */
function reencode(text: string): string {
  return encodeURIComponent(text).replace(
    UNRESERVED_BY_URI_COMPONENT,
    (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}
