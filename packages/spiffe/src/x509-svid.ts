import { createHash, type X509Certificate } from 'node:crypto';
import { failed, type Reading } from '@countersign/common';
import { readSpiffeId, type SpiffeId } from './spiffe-id.js';

/** A certificate with the others that came with it, none of them verified. */
export interface CertificateChain {
  readonly leaf: X509Certificate;
  readonly others: readonly X509Certificate[];
}

const longestPath = 8;

/** The SPIFFE ID that a certificate claims (X.509-SVID §2, §4). */
export function readX509Svid(leaf: X509Certificate): Reading<SpiffeId> {
  const uris = uriNames(leaf);
  const id = uris.length === 1 ? readSpiffeId(uris[0]) : undefined;
  if (id === undefined) return failed('it does not have one SPIFFE ID');
  if (id.path === '') return failed('its SPIFFE ID is that of a trust domain, not of a workload');
  return leaf.ca ? failed('it is the certificate of an authority') : { ok: true, value: id };
}

/**
 * Until when a certificate counts, in unix seconds, by the authorities of its own trust domain. TLS verified it, if at
 * all, against the authorities of all domains at once, and at the start of the connection.
 */
export function verifyX509Svid(
  { leaf, others }: CertificateChain,
  authorities: readonly X509Certificate[],
  now: number,
): Reading<number> {
  let certificate = leaf;
  let until = Infinity;
  for (let length = 0; length < longestPath; length += 1) {
    const [from, to] = [certificate.validFrom, certificate.validTo].map((text) => Date.parse(text) / 1000);
    // Written so that a NaN refuses.
    if (!(from !== undefined && to !== undefined && from <= now && now < to)) return failed('it is not valid now');
    until = Math.min(until, to);
    const current = certificate;
    if (authorities.some((authority) => hasIssued(authority, current))) return { ok: true, value: until };
    const issuer = others.find((other) => hasIssued(other, current));
    if (issuer === undefined) break;
    certificate = issuer;
  }
  return failed('no authority of its trust domain issued it');
}

/** Only an authority issues: otherwise each workload could issue certificates for the others. */
function hasIssued(issuer: X509Certificate, certificate: X509Certificate): boolean {
  return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

/** The URIs of subjectAltName. Node quotes names that hold a comma or a quote. */
export function uriNames({ subjectAltName }: Pick<X509Certificate, 'subjectAltName'>): readonly string[] {
  const names = splitUnquoted(subjectAltName ?? '', ',') ?? [];
  return names.map((name) => name.trim()).flatMap((name) => (name.startsWith('URI:') ? [name.slice(4)] : []));
}

/** Splits a text where a character is not within quotes. Undefined: a quote does not end. */
export function splitUnquoted(text: string, at: string): readonly string[] | undefined {
  const parts: string[] = [];
  let from = 0;
  let isQuoted = false;
  for (let index = 0; index < text.length; index += 1) {
    const character = text[index];
    if (isQuoted && character === '\\') index += 1;
    else if (character === '"') isQuoted = !isQuoted;
    else if (!isQuoted && character === at) {
      parts.push(text.slice(from, index));
      from = index + 1;
    }
  }
  return isQuoted ? undefined : [...parts, text.slice(from)];
}

/** RFC 8705 §3.1. */
export function thumbprintOf({ raw }: X509Certificate): string {
  return createHash('sha256').update(raw).digest('base64url');
}
