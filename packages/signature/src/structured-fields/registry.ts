import type { StructuredType } from './types.js';

/** Field name (lower case) to the structured type it is defined as. */
export type StructuredFieldTypes = Readonly<Record<string, StructuredType>>;

/**
 * The fields that the IANA HTTP Field Name Registry lists with a structured type. A field whose type is not known
 * cannot be covered with `;sf` (RFC 9421 §2.1.1): a wrong guess would sign another value.
 */
const REGISTERED: ReadonlyMap<string, StructuredType> = new Map<string, StructuredType>([
  ['accept-ch', 'list'],
  ['accept-signature', 'dictionary'],
  ['available-dictionary', 'item'],
  ['cache-status', 'list'],
  ['capsule-protocol', 'item'],
  ['cdn-cache-control', 'dictionary'],
  ['client-cert', 'item'],
  ['client-cert-chain', 'list'],
  ['concealed-auth-export', 'item'],
  ['content-digest', 'dictionary'],
  ['cross-origin-embedder-policy', 'item'],
  ['cross-origin-embedder-policy-report-only', 'item'],
  ['cross-origin-opener-policy', 'item'],
  ['cross-origin-opener-policy-report-only', 'item'],
  ['deprecation', 'item'],
  ['dictionary-id', 'item'],
  ['incremental', 'item'],
  ['origin-agent-cluster', 'item'],
  ['permissions-policy', 'dictionary'],
  ['priority', 'dictionary'],
  ['proxy-status', 'list'],
  ['reporting-endpoints', 'dictionary'],
  ['repr-digest', 'dictionary'],
  ['sec-gpc', 'item'],
  ['signature', 'dictionary'],
  ['signature-input', 'dictionary'],
  ['use-as-dictionary', 'dictionary'],
  ['want-content-digest', 'dictionary'],
  ['want-repr-digest', 'dictionary'],
]);

/** The structured type of a field, from the caller's own list first, then from the registry. */
export function structuredTypeOf(name: string, extra?: StructuredFieldTypes): StructuredType | undefined {
  return extra !== undefined && Object.hasOwn(extra, name) ? extra[name] : REGISTERED.get(name);
}
