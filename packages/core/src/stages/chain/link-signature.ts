import { type KeyObject, verify } from 'node:crypto';
import type { UntrustedLink } from './link-gate.js';

/**
 * Whether a link was signed with this key. Links know one algorithm, so that the JOSE library is not needed; the key is
 * asked for its type all the same, since what a key may verify is never for the header to say (RFC 8725 §3.1). On the
 * thread pool, as for requests. OpenSSL refuses a signature that is not canonical (RFC 8032 §5.1.7). Never rejects.
 */
export function linkVerifies({ signed, signature }: UntrustedLink, key: KeyObject): Promise<boolean> {
  if (key.asymmetricKeyType !== 'ed25519') return Promise.resolve(false);
  return new Promise((resolve) => {
    verify(null, signed, key, signature, (error, valid) => resolve(error === null && valid));
  });
}
