import { normalizeAuthority } from '@countersign/signature';
import type { Origin } from '../address/origin.js';
import { pathOf } from '../../model/request.js';

/**
 * Whether the `htu` of a proof is the URI of this request, without query and fragment (RFC 9449 §4.3): our own origin and
 * the path as it was sent. Both are normalised as far as two spellings can never mean two resources (RFC 3986 §6.2.2.1,
 * §6.2.2.2, §6.2.3); dot segments stay, because routers do not agree on them.
 */
export function isUriOfRequest(htu: string, origin: Origin, target: string): boolean {
  const [, scheme = '', authority = '', path = ''] = /^([a-z]+):\/\/([^/?#]*)([^?#]*)/i.exec(htu) ?? [];
  return (
    scheme.toLowerCase() === origin.scheme &&
    normalizeAuthority(authority, origin.scheme) === origin.authority &&
    normalizedPath(path) === normalizedPath(pathOf(target))
  );
}

function normalizedPath(path: string): string {
  const normalized = path.replace(/%[0-9a-f]{2}/gi, (escaped) => {
    const character = String.fromCharCode(Number.parseInt(escaped.slice(1), 16));
    return /[\w.~-]/.test(character) ? character : escaped.toUpperCase();
  });
  return normalized === '' ? '/' : normalized;
}
