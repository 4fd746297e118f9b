import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

/** Encrypts what others keep and must not read or make: signing keys in the database, codes and forms of users. */
export interface Seal {
  seal(text: string): string;
  /** @throws Error if the text was sealed with another secret, or changed. */
  open(sealed: string): string;
}

/** AES-256-GCM with a key for one purpose, derived from the secret. */
export function createSeal(secret: string, purpose = 'signing keys'): Seal {
  const key = deriveKey(secret, purpose);
  return {
    seal(text) {
      const nonce = randomBytes(12);
      const cipher = createCipheriv('aes-256-gcm', key, nonce);
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return Buffer.concat([nonce, cipher.getAuthTag(), body]).toString('base64url');
    },
    open(sealed) {
      const bytes = Buffer.from(sealed, 'base64url');
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12), { authTagLength: 16 });
      decipher.setAuthTag(bytes.subarray(12, 28));
      return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString('utf8');
    },
  };
}

/** A key for one purpose (RFC 5869). */
export function deriveKey(secret: string, purpose: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', `countersign authority ${purpose}`, 32));
}
