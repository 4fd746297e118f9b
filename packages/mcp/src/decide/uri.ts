/** The URI as servers of the official SDK look it up: they normalise it by the URL standard first. */
export function normalUri(uri: unknown): string | undefined {
  if (typeof uri !== 'string') return undefined;
  return URL.canParse(uri) ? new URL(uri).href : undefined;
}

/**
 * Whether every server takes a URI for the same resource: it is written as the URL standard writes it, has no fragment,
 * and encodes nothing that need not be encoded or that may hide a path (`/`, `\` and `%`).
 */
export function isPlainUri(uri: unknown): uri is string {
  if (typeof uri !== 'string' || uri.includes('#') || uri !== normalUri(uri)) return false;
  const encoded = uri.match(/%[0-9a-f]{2}/gi) ?? [];
  return !encoded.some((hex) => /[A-Za-z0-9\-._~/\\%]/.test(String.fromCharCode(Number.parseInt(hex.slice(1), 16))));
}
