import { constants } from 'node:crypto';
import type { SecureContextOptions, TLSSocket } from 'node:tls';
import { messageOf } from '@countersign/common';
import { showsTooMuch } from './connection-certificate.js';
import type { SvidSource } from './svid-source.js';

/** Whose certificate a server shows: its own X.509-SVID, or one that clients without SPIFFE accept. */
export type ServerIdentity = SvidSource | { readonly key: string | Buffer; readonly cert: string | Buffer };

export interface TlsServerOptions extends SecureContextOptions {
  readonly handshakeTimeout: number;
  readonly requestCert: true;
  readonly rejectUnauthorized: false;
}

/** What is used of a TLS server. */
export interface TlsServer {
  setSecureContext(options: SecureContextOptions): void;
  prependListener(event: 'secureConnection', listener: (socket: TLSSocket) => void): unknown;
  off(event: 'secureConnection', listener: (socket: TLSSocket) => void): unknown;
}

/**
 * A client without a certificate, or with a wrong one, is let in: the guard refuses it with a reason, and another may
 * sign its requests instead.
 */
export function tlsServerOptions(identity: ServerIdentity): TlsServerOptions {
  const shown = 'current' in identity ? identity.current() : identity;
  return {
    ...('chain' in shown
      ? { cert: shown.chain.map(String).join(''), key: shown.privateKey.export({ format: 'pem', type: 'pkcs8' }) }
      : { cert: shown.cert, key: shown.key }),
    // The guard alone verifies the path of a certificate, by the bundle of its trust domain. TLS knows no domains: an
    // authority could break the paths of another one that has the same name. Without `ca` Node's own would count.
    ca: [],
    minVersion: 'TLSv1.2',
    // A resumed connection shows no issuers, and would outlive an authority that was taken out of the bundle. In each
    // renegotiation of TLS 1.2, OpenSSL would verify another chain of a client.
    secureOptions: constants.SSL_OP_NO_TICKET | constants.SSL_OP_NO_RENEGOTIATION,
    requestCert: true,
    rejectUnauthorized: false,
    // Milliseconds. What a client has sent is kept meanwhile.
    handshakeTimeout: 10_000,
  };
}

export interface FollowOptions {
  /** What the application added to the options of the server: a new context has nothing of the one before. */
  readonly added?: SecureContextOptions;
  readonly onTrouble: (message: string) => unknown;
}

/**
 * Ends connections whose client showed more certificates than it may, and renews the certificate of the server.
 * Connections that are open go on: the guard asks for each request whether their certificate still counts.
 */
export function followServer(
  server: TlsServer,
  identity: ServerIdentity,
  { added, onTrouble }: FollowOptions,
): () => void {
  // Before HTTP/2 takes the socket over.
  server.prependListener('secureConnection', endOversized);
  const renew = (): void => {
    try {
      server.setSecureContext({ ...tlsServerOptions(identity), ...added });
    } catch (error) {
      // A throw would end the process: the Workload API calls this, and no request.
      onTrouble(`the certificates of a TLS server cannot be renewed: ${messageOf(error)}. The last ones are used.`);
    }
  };
  const stop = 'current' in identity ? identity.onChange(renew) : undefined;
  return () => {
    stop?.();
    server.off('secureConnection', endOversized);
  };
}

function endOversized(socket: TLSSocket): void {
  if (showsTooMuch(socket)) socket.destroy();
}
