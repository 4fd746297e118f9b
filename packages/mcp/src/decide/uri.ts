/** The URI as servers of the official SDK look it up: they normalise it by the URL standard first. */
export function normalUri(uri: unknown): string | undefined {
  if (typeof uri !== 'string') return undefined;
  return URL.canParse(uri) ? new URL(uri).href : undefined;
}
