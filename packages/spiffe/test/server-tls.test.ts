import { EventEmitter, once } from 'node:events';
import { createSecureServer } from 'node:http2';
import { createServer as createHttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Server, type TLSSocket } from 'node:tls';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type CertificateAuthority, type IssuedCertificate, trustDomain } from '../../../test/support/trust-domain.js';
import { followServer, type TlsServerOptions, tlsServerOptions } from '../src/server-tls.js';
import type { SvidSource } from '../src/svid-source.js';

const domain = trustDomain();
const { keyPem: key, certificatePem: cert } = domain.x509Svid('/api');

async function serve() {
  const server = createServer(tlsServerOptions({ key, cert })).listen(0, '127.0.0.1');
  onTestFinished(() => void server.close());
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}

/** A certificate with so many names of hosts, of 14 bytes each. */
function named(length: number): IssuedCertificate {
  return domain.x509Svid('/a', { dns: Array.from({ length }, () => 'host.example') });
}

/** A source whose X.509-SVID is renewed at once. */
function renewed(): SvidSource {
  const { key: privateKey, certificate } = domain.x509Svid('/api');
  return {
    current: () => ({ id: domain.id('/api'), chain: [certificate], privateKey }),
    bundles: () => new Map(),
    onChange(listener) {
      listener();
      return () => {};
    },
  };
}

describe('a TLS server with the options of a guard', () => {
  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'asks for a certificate in %s, and verifies its key only [Q4]',
    async (version) => {
      const { server, port } = await serve();
      const shown = domain.x509Svid('/client');
      const given = { key: shown.keyPem, cert: shown.certificatePem };
      const socket = connect({ ...given, port, minVersion: version, maxVersion: version, rejectUnauthorized: false });
      const [accepted] = (await once(server, 'secureConnection')) as [TLSSocket];
      expect([accepted.authorized, accepted.getPeerX509Certificate()?.serialNumber]).toEqual([
        false,
        shown.certificate.serialNumber,
      ]);
      socket.destroy();
    },
  );

  it('verifies the certificate of a connection once: it lets no client negotiate again [A14]', async () => {
    const { server, port } = await serve();
    const shown = domain.x509Svid('/client');
    const given = { key: shown.keyPem, cert: shown.certificatePem, maxVersion: 'TLSv1.2' } as const;
    const socket = connect({ ...given, port, rejectUnauthorized: false });
    await once(socket, 'secureConnect');
    const [problem] = await new Promise<unknown[]>((resolve) => {
      socket.on('error', (error) => resolve([error]));
      socket.renegotiate({ rejectUnauthorized: false }, (...result) => resolve(result));
    });
    expect(problem).toMatchObject({ code: 'ERR_SSL_NO_RENEGOTIATION' });
    socket.destroy();
    server.close();
  });

  it('accepts no certificate by the authorities of Node itself [Q4]', () => {
    expect(tlsServerOptions({ key, cert }).ca).toEqual([]);
  });

  it.each<[string, string, (options: TlsServerOptions) => Server]>([
    ['HTTP/1.1', 'http/1.1', (options) => createHttpsServer(options)],
    ['HTTP/2', 'h2', (options) => createSecureServer(options)],
  ])('ends a connection of %s whose client shows more than 16 KB [A14]', async (_name, protocol, create) => {
    const identity = { key, cert };
    const server = create(tlsServerOptions(identity)).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const stop = followServer(server, identity, { onTrouble: () => {} });
    const { port } = server.address() as AddressInfo;
    const open = async (issued: IssuedCertificate, ...issuers: readonly CertificateAuthority[]) => {
      const sent = [issued, ...issuers].map(({ certificate }) => String(certificate)).join('');
      const given = { key: String(issued.key.export({ format: 'pem', type: 'pkcs8' })), cert: sent };
      const socket = connect({ ...given, port, rejectUnauthorized: false, ALPNProtocols: [protocol] });
      onTestFinished(() => void socket.destroy());
      const [accepted] = (await once(server, 'secureConnection')) as [TLSSocket];
      return accepted.destroyed;
    };
    const issuers = Array.from({ length: 60 }, () => domain.ca);
    expect([await open(named(1)), await open(named(1000))]).toEqual([false, false]);
    expect([await open(named(1200)), await open(named(1), ...issuers)]).toEqual([true, true]);
    stop();
    expect(await open(named(1200))).toBe(false);
    server.close();
  });

  it('keeps the options that the application added when its certificate is renewed', async () => {
    const added = { minVersion: 'TLSv1.3' } as const;
    const server = createServer({ ...tlsServerOptions({ key, cert }), ...added }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    onTestFinished(() => void server.close());
    followServer(server, renewed(), { added, onTrouble: () => {} });
    const { port } = server.address() as AddressInfo;
    const socket = connect({ port, maxVersion: 'TLSv1.2', rejectUnauthorized: false });
    await expect(once(socket, 'secureConnect')).rejects.toThrow(/protocol version/);
  });

  it('keeps its certificate when it cannot use the next one, which is reported', () => {
    const troubles: string[] = [];
    const refusing = Object.assign(new EventEmitter(), {
      setSecureContext() {
        throw new Error('ee key too small');
      },
    });
    followServer(refusing, renewed(), { onTrouble: (message) => troubles.push(message) })();
    expect(troubles).toEqual([
      'the certificates of a TLS server cannot be renewed: ee key too small. The last ones are used.',
    ]);
  });
});
