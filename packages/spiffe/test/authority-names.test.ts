import type { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, createServer } from 'node:tls';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { patiently } from '../../../test/support/patiently.js';
import { certificateAuthority, trustDomain } from '../../../test/support/trust-domain.js';
import { nameBytes } from '../src/authority-names.js';
import { openTrustBundles, type TrustDomains } from '../src/index.js';
import { tlsServerOptions } from '../src/server-tls.js';

const domain = trustDomain();

async function open(trustDomains: TrustDomains, troubles: string[] = []) {
  const bundles = await openTrustBundles(trustDomains, { onTrouble: (message) => troubles.push(message) });
  onTestFinished(() => bundles.close());
  return bundles;
}

async function bundleFile(content: unknown): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'bundle-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const file = join(folder, 'bundle.json');
  await writeFile(file, typeof content === 'string' ? content : JSON.stringify(content));
  return file;
}

function authority(name: string, commonName: string): X509Certificate {
  return certificateAuthority(name).issue({ uris: [`spiffe://${name}`], isCa: true, commonName }).certificate;
}

function bundleOf(name: string, { count: many, nameLength }: { count: number; nameLength: number }): object {
  const keys = Array.from({ length: many }, (_none, index) => {
    const certificate = authority(name, `${index} `.padEnd(nameLength, 'x'));
    const jwk = certificate.publicKey.export({ format: 'jwk' });
    return { ...jwk, use: 'x509-svid', x5c: [certificate.raw.toString('base64')] };
  });
  return { keys };
}

describe('the names of X.509 authorities', () => {
  it('do not replace those before when a domain publishes more than TLS can list [A14]', async () => {
    const file = await bundleFile(domain.bundle());
    const troubles: string[] = [];
    const bundles = await open({ 'example.org': { file } }, troubles);
    const before = bundles.allX509Authorities().map(String);
    await writeFile(file, JSON.stringify(bundleOf('example.org', { count: 33, nameLength: 250 })));
    await vi.waitFor(() => expect(troubles.join()).toContain('have more than 8192 bytes'), patiently);
    expect(bundles.allX509Authorities().map(String)).toEqual(before);
    await expect(open({ 'example.org': { file } })).rejects.toThrow('have more than 8192 bytes');
  });

  it('are left out of TLS, the largest first, when the names of all domains do not fit [A14]', async () => {
    const troubles: string[] = [];
    const large = await bundleFile(bundleOf('large.org', { count: 29, nameLength: 250 }));
    const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => `${name}.org`);
    const all = await open(
      {
        ...Object.fromEntries(names.map((name) => [name, { file: large }])),
        'example.org': { file: await bundleFile(domain.bundle()) },
      },
      troubles,
    );
    expect(all.allX509Authorities()).toHaveLength(6 * 29 + 1);
    all.allX509Authorities();
    expect(all.allX509Authorities().map(String)).toContain(String(domain.ca.certificate));
    expect(troubles).toHaveLength(1);
    expect(troubles[0]).toContain('TLS does not accept the certificates of g.org');
    const { keyPem: key, certificatePem: cert } = domain.x509Svid('/api');
    const server = createServer(tlsServerOptions({ key, cert }, all)).listen(0);
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const socket = connect({ port, minVersion: version, maxVersion: version, rejectUnauthorized: false });
      await once(socket, 'secureConnect');
      socket.destroy();
    }
  });

  it('are counted by their bytes in DER', () => {
    for (const [nameLength, bytes] of [
      [1, 14],
      [100, 113],
      [120, 135],
      [250, 270],
    ] as const) {
      expect(nameBytes([authority('example.org', 'x'.repeat(nameLength))])).toBe(bytes + 2);
    }
  });
});
