import { type Refusal, refusal } from '../../model/refusal.js';
import type { IndexedRequest } from '../../model/request.js';

type View = Pick<IndexedRequest, 'fields' | 'headers'>;

/**
 * Refuses a method with a lower-case letter, which only HTTP/2 lets through: routers and `everyRequest` fold the case of
 * `get`, a handler that compares it with `GET` does not.
 */
export function methodSeenDifferently({ method }: Pick<IndexedRequest, 'method'>): Refusal | undefined {
  return /[a-z]/.test(method) ? refusal('request_malformed', 'its method is not in upper case') : undefined;
}

/** The fields of the signature itself, by which a request counts as signed at all. */
const signatureFields = ['signature-input', 'signature'];

/**
 * Refuses a request whose signed fields the application would read otherwise than they were verified. Node reads no
 * field beyond `maxHeadersCount`, takes the first line of a field that cannot be a list, and joins cookies by semicolons.
 */
export function seenDifferently({ fields, headers }: View, covered: Iterable<string>): Refusal | undefined {
  if (headers === undefined) return undefined;
  for (const names of [signatureFields, covered]) {
    for (const name of names) {
      const lines = fields.raw(name);
      const [first] = lines;
      if (first === undefined) continue;
      const seen = headers[name];
      if (seen === undefined) return refusal('fields_too_large', `the server dropped ${name}`);
      // RFC 9421 §2.1: how the lines of a field stand in the signature base.
      const signed = lines.length === 1 ? first : lines.join(', ');
      if (seen !== signed) return refusal('request_malformed', `the application sees another ${name}`);
    }
  }
  return undefined;
}

/**
 * Whether the host shows fields to the application and none to us, as wrappers for serverless platforms may: whatever such a
 * request carries, nobody has seen it here.
 */
export function hidesFields({ rawHeaders, headers }: Pick<IndexedRequest, 'rawHeaders' | 'headers'>): boolean {
  return rawHeaders.length === 0 && headers !== undefined && Object.keys(headers).length > 0;
}

/**
 * Whether the application is told of a body at all (RFC 9112 §6). Where the server dropped the fields that frame it,
 * parsers take the body for empty. HTTP/2 needs none.
 */
export function seesBody({ fields, headers }: View): boolean {
  if (headers === undefined || fields.has(':method')) return true;
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}
