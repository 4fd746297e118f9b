import { createHash } from 'node:crypto';

/** How tokens are kept and compared: who reads the database cannot use them. */
export function tokenDigest(token: string): Buffer {
  return createHash('sha256').update(token).digest();
}

/** The same as text, for a column. */
export function tokenDigestText(token: string): string {
  return tokenDigest(token).toString('base64url');
}
