/** The name of a workload: `spiffe://TRUST_DOMAIN/PATH`. */
export interface SpiffeId {
  readonly id: string;
  readonly trustDomain: string;
  /** Begins with a slash; empty in the ID of a trust domain itself. */
  readonly path: string;
}

const longestId = 2048;

/** Reads a SPIFFE ID (SPIFFE-ID §2). There is one spelling of each, so IDs are compared byte by byte. */
export function readSpiffeId(text: unknown): SpiffeId | undefined {
  if (typeof text !== 'string' || text.length > longestId || !text.startsWith('spiffe://')) return undefined;
  const [trustDomain = '', ...segments] = text.slice('spiffe://'.length).split('/');
  if (!isTrustDomain(trustDomain) || !segments.every(isSegment)) return undefined;
  return { id: text, trustDomain, path: segments.map((segment) => `/${segment}`).join('') };
}

export function isTrustDomain(text: unknown): text is string {
  return typeof text === 'string' && /^[a-z0-9._-]{1,255}$/.test(text);
}

function isSegment(text: string): boolean {
  return /^[A-Za-z0-9._-]+$/.test(text) && text !== '.' && text !== '..';
}

/** The trust domain of a pattern: an ID with a path, or one that ends in `/*`. Undefined: it is no pattern. */
export function trustDomainOfPattern(pattern: unknown): string | undefined {
  if (typeof pattern !== 'string') return undefined;
  const isOpen = pattern.endsWith('/*');
  const read = readSpiffeId(isOpen ? pattern.slice(0, -2) : pattern);
  // The ID of a trust domain is that of its authority, never of a workload.
  return read === undefined || (read.path === '' && !isOpen) ? undefined : read.trustDomain;
}

/** Whether a pattern names this ID. `/*` at its end stands for one segment or more. */
export function matchesSpiffeId(pattern: string, id: string): boolean {
  return pattern.endsWith('/*')
    ? id.startsWith(pattern.slice(0, -1)) && id.length > pattern.length - 1
    : id === pattern;
}
