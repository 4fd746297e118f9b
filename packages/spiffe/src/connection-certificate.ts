import type { X509Certificate } from 'node:crypto';
import type { CertificateChain } from './x509-svid.js';

/**
 * On the socket itself, for all guards of a server: Node before 26 gives the issuers once for each connection, and the
 * socket of an HTTP/2 session is a proxy of it.
 */
const shown: unique symbol = Symbol('the certificates that the client showed');

/** The part of a TLS socket of Node that is used here. In HTTP/2: of the socket of the session. */
export interface PeerConnection {
  getPeerX509Certificate?(): X509Certificate | undefined;
  [shown]?: CertificateChain | undefined;
}

const mostIssuers = 8;
/** More than X.509-SVIDs of any kind need, with their issuers. */
const mostBytes = 16_384;

/** The certificate whose key the client proved, with those that it sent along. Undefined: it showed none. */
export function certificateOf(connection: PeerConnection): CertificateChain | undefined {
  try {
    return (connection[shown] ??= readChain(connection.getPeerX509Certificate?.()));
  } catch {
    // The socket of an HTTP/2 session that has ended throws.
    return undefined;
  }
}

/**
 * Whether a client showed so much that its connection should end. OpenSSL keeps it, decoded, for as long as the connection
 * lives: 5 MiB for 96 KB of empty names.
 */
export function showsTooMuch(connection: PeerConnection): boolean {
  const leaf = certificateOf(connection)?.leaf;
  const sizes = leaf === undefined ? [] : [leaf, ...issuersOf(leaf)].map(({ raw }) => raw.length);
  return sizes.reduce((sum, size) => sum + size, 0) > mostBytes;
}

function readChain(leaf: X509Certificate | undefined): CertificateChain | undefined {
  return leaf && { leaf, others: issuersOf(leaf).slice(0, mostIssuers) };
}

function issuersOf(leaf: X509Certificate): readonly X509Certificate[] {
  const issuers: X509Certificate[] = [];
  for (let next = leaf.issuerCertificate; next !== undefined; next = next.issuerCertificate) issuers.push(next);
  return issuers;
}
