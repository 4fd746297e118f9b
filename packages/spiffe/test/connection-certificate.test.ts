import { once } from 'node:events';
import { connect as connectHttp2, createSecureServer, type ServerHttp2Session } from 'node:http2';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type TLSSocket } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { certificateAuthority, trustDomain } from '../../../test/support/trust-domain.js';
import { certificateOf } from '../src/connection-certificate.js';
import { tlsServerOptions } from '../src/server-tls.js';

const domain = trustDomain();

/** The socket of a server to which a client showed these certificates. */
async function accepted(shown: { readonly key?: string; readonly cert?: string }): Promise<TLSSocket> {
  const { keyPem: key, certificatePem: cert } = domain.x509Svid('/api');
  const server = createServer(tlsServerOptions({ key, cert })).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = connect({ ...shown, port: (server.address() as AddressInfo).port, rejectUnauthorized: false });
  onTestFinished(() => {
    client.destroy();
    server.close();
  });
  const [socket] = (await once(server, 'secureConnection')) as [TLSSocket];
  return socket;
}

describe('the certificate of a connection', () => {
  it('has its issuers, also for the second guard that asks', async () => {
    const upper = certificateAuthority('example.org', domain.ca);
    const lower = certificateAuthority('example.org', upper);
    const { keyPem: key, certificate } = lower.issue({ uris: [domain.id('/a')] });
    const sent = [certificate, lower.certificate, upper.certificate];
    const socket = await accepted({ key, cert: sent.map(String).join('') });
    for (const _guard of [1, 2]) {
      const { leaf, others = [] } = certificateOf(socket) ?? {};
      expect([leaf, ...others].map(String)).toEqual(sent.map(String));
    }
  });

  it('is missing when the HTTP/2 session has ended [A16]', async () => {
    const { keyPem: key, certificatePem: cert } = domain.x509Svid('/api');
    const server = createSecureServer(tlsServerOptions({ key, cert })).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const client = connectHttp2(`https://127.0.0.1:${(server.address() as AddressInfo).port}`, {
      key,
      cert,
      rejectUnauthorized: false,
    });
    onTestFinished(() => {
      client.destroy();
      server.close();
    });
    const [session] = (await once(server, 'session')) as [ServerHttp2Session];
    const { socket } = session;
    session.destroy();
    await once(session, 'close');
    expect(() => (socket as TLSSocket).getPeerX509Certificate()).toThrow();
    expect(certificateOf(socket as TLSSocket)).toBeUndefined();
  });

  it('is missing when the client shows none', async () => {
    expect(certificateOf(await accepted({}))).toBeUndefined();
    expect(certificateOf({})).toBeUndefined();
  });
});
