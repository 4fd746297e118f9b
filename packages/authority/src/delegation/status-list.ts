import { deflateSync } from 'node:zlib';
import type { SigningKeys } from '../keys/signing-keys.js';
import { signClaims } from '../keys/sign-claims.js';
import type { Ledger } from './ledger.js';

/** Tokens in one list. A list is 8 KiB before it is packed. */
const size = 65_536;
/** Guards ask again after so many seconds: so long, at most, a revocation takes to have effect in a guard. */
const ttlSeconds = 15;
export const statusListLifetimeSeconds = 300;

/** Where the status of a token is (Token Status List, draft-ietf-oauth-status-list, §6). */
export function statusReference(issuer: string, index: number): { readonly idx: number; readonly uri: string } {
  return { idx: index % size, uri: listUri(issuer, Math.floor(index / size)) };
}

function listUri(issuer: string, list: number): string {
  return `${issuer}/status/${list}`;
}

export interface StatusListOptions {
  readonly issuer: string;
  readonly ledger: Ledger;
  readonly keys: SigningKeys;
  readonly now: () => number;
}

/** The Status List Token of a list: a bit for each token, set if it is revoked in any way. */
export async function statusListToken(list: number, { issuer, ledger, keys, now }: StatusListOptions): Promise<string> {
  const bytes = Buffer.alloc(size / 8);
  for (const index of await ledger.deadWithin(list * size, (list + 1) * size)) {
    const place = index % size;
    bytes[place >> 3] = (bytes[place >> 3] ?? 0) | (1 << (place & 7));
  }
  const at = now();
  return await signClaims(keys.current(at), 'statuslist+jwt', {
    iss: issuer,
    sub: listUri(issuer, list),
    iat: at,
    exp: at + statusListLifetimeSeconds,
    ttl: ttlSeconds,
    status_list: { bits: 1, lst: deflateSync(bytes, { level: 9 }).toString('base64url') },
  });
}
