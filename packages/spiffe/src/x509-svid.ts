import { createHash, type X509Certificate } from 'node:crypto';
import { failed, type Reading } from '@countersign/common';
import { checkPath, publicKeyOf } from './certificate-path.js';
import { nameForms, readRules } from './certificate-rules.js';
import { readSpiffeId, type SpiffeId } from './spiffe-id.js';

/** A certificate with the others that came with it, none of them verified. */
export interface CertificateChain {
  readonly leaf: X509Certificate;
  readonly others: readonly X509Certificate[];
}

const longestPath = 8;
/** Authorities of one name and without key identifiers are tried one by one. */
const mostSignatures = 32;

/** The SPIFFE ID that a certificate claims (X.509-SVID §2, §4). */
export function readX509Svid(leaf: X509Certificate): Reading<SpiffeId> {
  const uris = uriNames(leaf);
  const id = uris.length === 1 ? readSpiffeId(uris[0]) : undefined;
  if (id === undefined) return failed('it does not have one SPIFFE ID');
  if (id.path === '') return failed('its SPIFFE ID is that of a trust domain, not of a workload');
  return leaf.ca ? failed('it is the certificate of an authority') : { ok: true, value: id };
}

/**
 * Until when a certificate counts, in unix seconds, by the authorities of its own trust domain. Nobody else verifies its
 * path: TLS knows no trust domains, and only proves that the client has the key.
 *
 * Paths are built from the authorities down. So no key verifies anything unless an authority vouches for it, and a client
 * cannot make the process verify with keys of its own.
 */
export function verifyX509Svid(
  { leaf, others }: CertificateChain,
  authorities: readonly X509Certificate[],
  now: number,
): Reading<number> {
  let problem = 'no authority of its trust domain issued it';
  let signatures = 0;
  const isIssued = (certificate: X509Certificate, issuer: X509Certificate): boolean => {
    // Only an authority issues: otherwise each workload could issue certificates for the others.
    if (!issuer.ca || !certificate.checkIssued(issuer) || signatures === mostSignatures) return false;
    const key = publicKeyOf(issuer);
    signatures += 1;
    return key !== undefined && certificate.verify(key);
  };
  let paths: readonly IssuerPath[] = authorities.map((authority) => [authority]);
  for (let length = 1; length < longestPath; length += 1) {
    for (const path of paths) {
      if (!isIssued(leaf, path[0])) continue;
      const checked = checkPath([leaf, ...path], now);
      if (checked.ok) return checked;
      ({ problem } = checked);
    }
    paths = paths.flatMap((path) =>
      others
        .filter((other) => !path.includes(other) && isIssued(other, path[0]))
        .map((other): IssuerPath => [other, ...path]),
    );
  }
  return failed(problem);
}

/** Those that could have issued a certificate, one above the other, up to an authority. */
type IssuerPath = readonly [X509Certificate, ...X509Certificate[]];

/** The same reader as that of the constraints on names: by another one, a name could be an ID and no URI. */
function uriNames(certificate: X509Certificate): readonly string[] {
  try {
    const { names } = readRules(certificate);
    return names.filter(({ tag }) => tag === nameForms.uri).map(({ content }) => content.toString('latin1'));
  } catch {
    return [];
  }
}

/** RFC 8705 §3.1. */
export function thumbprintOf({ raw }: X509Certificate): string {
  return createHash('sha256').update(raw).digest('base64url');
}
