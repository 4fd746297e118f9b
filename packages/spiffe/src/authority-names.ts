import type { X509Certificate } from 'node:crypto';

/**
 * A TLS server lists the names of all authorities when it asks for a certificate. The list has two bytes for its length,
 * and OpenSSL breaks every handshake once it is longer.
 */
export const mostNameBytes: { readonly ofDomain: number; readonly together: number } = {
  ofDomain: 8 * 1024,
  together: 48 * 1024,
};

export const namesTooLong: string = `the names of its X.509 authorities have more than ${mostNameBytes.ofDomain} bytes`;

export function areNamesTooLong(authorities: readonly X509Certificate[]): boolean {
  return nameBytes(authorities) > mostNameBytes.ofDomain;
}

/** What the subjects of authorities add to that list, each with the two bytes of its length. @throws if one cannot be read. */
export function nameBytes(authorities: readonly X509Certificate[]): number {
  return authorities.reduce((sum, { raw }) => sum + 2 + subjectLength(raw), 0);
}

/** RFC 5280 §4.1: version, serial number, algorithm, issuer and validity precede the subject. */
function subjectLength(der: Buffer): number {
  let at = contentOf(der, contentOf(der, 0).from).from;
  const skipped = der[at] === 0xa0 ? 5 : 4;
  for (let index = 0; index < skipped; index += 1) at = contentOf(der, at).to;
  return contentOf(der, at).to - at;
}

/** Where the content of an element begins and ends (X.690 §8.1.3). */
function contentOf(der: Buffer, at: number): { readonly from: number; readonly to: number } {
  const first = der[at + 1] ?? 0;
  if (first < 0x80) return { from: at + 2, to: at + 2 + first };
  const count = first & 0x7f;
  // Without a length of its own it ends where its content says, which DER forbids.
  if (count < 1 || count > 4) throw new Error('a certificate is not in DER');
  const from = at + 2 + count;
  return { from, to: from + der.readUIntBE(at + 2, count) };
}
