import { createHmac } from 'node:crypto';
import { readPseudonymKey } from './redact-options.js';

/** What the pseudonym stands for: a user, a resource, or the remote address of requests. */
export type PseudonymOf =
  | { readonly user: string }
  | { readonly resource: { readonly type: string; readonly id: string } }
  | { readonly remoteAddress: string };

/**
 * The pseudonym that a redacted log holds instead of an id. With it the holder of the key finds the records of one user,
 * one resource or one address.
 *
 * @throws ConfigError if the key is shorter than 32 bytes.
 *
 * @example
 * const pseudonym = auditPseudonym(pseudonymKey, { user: 'user_123' }); // 'pseudonym:1XkQ…'
 */
export function auditPseudonym(pseudonymKey: string | Uint8Array, of: PseudonymOf): string {
  return makePseudonym(readPseudonymKey(pseudonymKey), of);
}

/** 128 bits: short enough to read, long enough to avoid collisions. */
export function makePseudonym(key: Uint8Array, of: PseudonymOf): string {
  const digest = createHmac('sha256', key).update(named(of)).digest().subarray(0, 16);
  return `pseudonym:${digest.toString('base64url')}`;
}

/** JSON, since with a separator two pairs of type and id could have the same text. */
function named(of: PseudonymOf): string {
  if ('user' in of) return JSON.stringify(['user', of.user]);
  if ('resource' in of) return JSON.stringify(['resource', of.resource.type, of.resource.id]);
  return JSON.stringify(['remoteAddress', of.remoteAddress]);
}
