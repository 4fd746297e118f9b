import type { X509Certificate } from 'node:crypto';
import type { CertificateChain } from './x509-svid.js';

/** The part of a TLS socket of Node that is used here. In HTTP/2: of the socket of the session. */
export interface PeerConnection {
  getPeerX509Certificate?(): X509Certificate | undefined;
}

const mostIssuers = 8;
/** For all guards of a server: Node before 26 gives the issuers once for each connection. */
const chains = new WeakMap<PeerConnection, CertificateChain>();

/** The certificate whose key the client proved, with those that it sent along. Undefined: it showed none. */
export function certificateOf(connection: PeerConnection): CertificateChain | undefined {
  const known = chains.get(connection);
  if (known !== undefined) return known;
  const leaf = leafOf(connection);
  if (leaf === undefined) return undefined;
  const chain = { leaf, others: issuersOf(leaf) };
  chains.set(connection, chain);
  return chain;
}

function leafOf(connection: PeerConnection): X509Certificate | undefined {
  try {
    return connection.getPeerX509Certificate?.();
  } catch {
    // The socket of an HTTP/2 session that has ended throws.
    return undefined;
  }
}

function issuersOf(leaf: X509Certificate): readonly X509Certificate[] {
  const issuers: X509Certificate[] = [];
  for (let next = leaf.issuerCertificate; next !== undefined && issuers.length < mostIssuers; ) {
    if (issuers.at(-1)?.fingerprint256 === next.fingerprint256) break;
    issuers.push(next);
    next = next.issuerCertificate;
  }
  return issuers;
}
