import { once } from 'node:events';
import { createServer, get } from 'node:https';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import {
  type CertificateAuthority,
  certificateAuthority,
  type CertificateChange,
  der,
  extension,
  oid,
  sequence,
  trustDomain,
} from '../../../test/support/trust-domain.js';
import { workloadAgents } from '../src/client-tls.js';

const domain = trustDomain();
const id = domain.id('/api');

/** What a client of this authority's domain gets from a server that one of these issued, and whether the server was asked. */
async function ask(
  anchor: CertificateAuthority,
  issuers: readonly CertificateAuthority[],
  change: CertificateChange = {},
) {
  const { keyPem, certificate } = (issuers[0] ?? anchor).issue({ uris: [id], ...change });
  const cert = [certificate, ...issuers.map((issuer) => issuer.certificate)].map(String).join('');
  let asked = 0;
  const server = createServer(
    { key: keyPem, cert, requestCert: true, rejectUnauthorized: false },
    (_request, response) => {
      asked += 1;
      response.end();
    },
  );
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const own = domain.x509Svid('/client');
  const agent = workloadAgents({
    current: () => ({ id: domain.id('/client'), chain: [own.certificate], privateKey: own.key }),
    bundles: () => new Map([[domain.name, [anchor.certificate]]]),
    onChange: () => () => {},
  })(id);
  onTestFinished(() => {
    agent.destroy();
    server.close().closeAllConnections();
  });
  const request = get(`https://127.0.0.1:${(server.address() as AddressInfo).port}/`, { agent });
  request.on('response', (response) => response.resume());
  const answered = await once(request, 'response').then(
    () => true,
    () => false,
  );
  return { answered, asked };
}

const refused = { answered: false, asked: 0 };
const over = { notAfter: new Date(Date.now() - 10_000) };

function below(parent: CertificateAuthority, change: CertificateChange = {}): CertificateAuthority {
  return certificateAuthority('example.org', parent, change);
}

describe('a client with an X.509-SVID', () => {
  it('emits an error on the request when OpenSSL does not take its SVID [A14]', async () => {
    const { key, certificate } = domain.ca.issue({ uris: [domain.id('/client')], hash: 'sha1' });
    const agent = workloadAgents({
      current: () => ({ id: domain.id('/client'), chain: [certificate], privateKey: key }),
      bundles: () => new Map(),
      onChange: () => () => {},
    })(id);
    onTestFinished(() => agent.destroy());
    const [error] = await once(get('https://127.0.0.1:1/', { agent }), 'error');
    expect(error).toMatchObject({ code: expect.stringContaining('ERR_SSL') });
  });

  it('accepts a server that authorities below that of its domain issued', async () => {
    const upper = below(domain.ca);
    expect(await ask(domain.ca, [below(upper), upper])).toEqual({ answered: true, asked: 1 });
  });

  it('sends nothing to a server whose path an authority has ended, limited, or does not allow [Q4]', async () => {
    const expired = certificateAuthority('example.org', undefined, over);
    expect(await ask(expired, [])).toEqual(refused);
    expect(await ask(domain.ca, [below(domain.ca, over)])).toEqual(refused);
    expect(await ask(domain.ca, [], over)).toEqual(refused);
    const closed = below(domain.ca, { pathLength: 0 });
    expect(await ask(domain.ca, [below(closed), closed])).toEqual(refused);
    const other = sequence(der(0xa0, sequence(der(0x86, Buffer.from('other.org')))));
    const named = below(domain.ca, { more: [extension([0x55, 0x1d, 0x1e], other)] });
    expect(await ask(domain.ca, [named])).toEqual(refused);
    const forClients = extension([0x55, 0x1d, 0x25], sequence(oid(0x2b, 6, 1, 5, 5, 7, 3, 2)));
    expect(await ask(domain.ca, [], { more: [forClients] })).toEqual(refused);
  });

  it('sends nothing to a workload whose certificate spells another one, with the ID of the server, in PEM [Q4]', async () => {
    const spelt = trustDomain().x509Svid('/api').certificatePem;
    const own = { uris: [domain.id('/web')] };
    expect(await ask(domain.ca, [], { ...own, commonName: `\n${spelt}` })).toEqual(refused);
  });
});
