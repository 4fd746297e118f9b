import { deflateSync } from 'node:zlib';
import { type IssuerTestKey, jws } from '../token/tokens.js';

/** Packs statuses by hand, from the least significant bit of each byte. */
export function packed(bits: number, statuses: readonly number[]): string {
  const bytes = Buffer.alloc(Math.ceil((statuses.length * bits) / 8));
  for (const [index, status] of statuses.entries()) {
    const at = index * bits;
    bytes[Math.floor(at / 8)]! |= status << (at % 8);
  }
  return deflateSync(bytes).toString('base64url');
}

/** A Status List Token with these claims; undefined leaves one out. */
export function statusListToken(key: IssuerTestKey, claims: Record<string, unknown>, header: object = {}): string {
  return jws({ typ: 'statuslist+jwt', alg: key.alg, ...header }, claims, key);
}
