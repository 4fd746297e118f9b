/** The URI as servers of the official SDK look it up: they normalise it by the URL standard first. */
export function normalUri(uri: unknown): string | undefined {
  if (typeof uri !== 'string') return undefined;
  return URL.canParse(uri) ? new URL(uri).href : undefined;
}

/** The characters of RFC 3986, without `#`; of encoded ones only in capitals. */
const syntax = /^[a-z][a-z0-9+.-]*:(?:[A-Za-z0-9\-._~!$&'()*+,;=:@/?[\]]|%[0-9A-F]{2})+$/;

/** What may stand in a path as it is (RFC 3986 §3.3), and what a decoder would turn into a separator or a control. */
const needsNoEncoding = /[A-Za-z0-9\-._~!$&'()*+,;=:@/?\\%\p{Cc}]/u;

const oddSegment = /\/\/|(?:^|\/)\.{1,2}(?:\/|$)/;
/** The URL standard leaves brackets outside of a host as they are, RFC 3986 wants them encoded. */
const bracket = /[[\]]/;

/**
 * Whether every reader takes this URI for the same one. Servers differ: some decode `%73` or `a%2F..%2Fb` before they
 * look a resource up, some resolve dot segments, merge slashes, or put the host in lower case. So a URI must be as the URL
 * standard writes it, with nothing encoded that need not be, no fragment, no bracket but those of a host, no dot segment, no
 * empty segment but the last, and no capital in its host. A query and a last slash are compared as they stand: servers that
 * ignore them see one resource where policy sees many, so permit resources by their exact URI.
 */
export function isPlainUri(uri: unknown): uri is string {
  if (typeof uri !== 'string' || !syntax.test(uri) || !URL.canParse(uri) || new URL(uri).href !== uri) return false;
  const { host, pathname, search } = new URL(uri);
  if (host !== host.toLowerCase() || oddSegment.test(pathname) || bracket.test(pathname + search)) return false;
  return !(uri.match(/(?:%..)+/g) ?? []).some((codes) => needsNoEncoding.test(decoded(codes)));
}

/** Bytes that are no UTF-8 read as a backslash, which must not be encoded: decoders make different things of them. */
function decoded(codes: string): string {
  try {
    return decodeURIComponent(codes);
  } catch {
    return '\\';
  }
}
