import { createPublicKey } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { patiently } from '../../../test/support/patiently.js';
import { certificateAuthority, trustDomain } from '../../../test/support/trust-domain.js';
import { fakeSpireAgent } from '../../../test/support/workload-api.js';
import { openTrustBundles, type TrustDomains } from '../src/index.js';
import { hasVectors, readVectors } from './vectors.js';
import { readBundle, readCertificates } from '../src/bundle.js';

const domain = trustDomain();
const other = trustDomain('other.org');

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

async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.close().closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/bundle.json`;
}

function count(name: string): unknown {
  const read = readBundle(JSON.stringify(readVectors(`bundle/spiffebundle/testdata/${name}`)));
  return read.ok ? [read.value.jwtAuthorities.length, read.value.x509Authorities.length] : read.problem;
}

function rsa(bits: number, exponent: Buffer): object {
  const n = Buffer.alloc(bits / 8, 0xff).toString('base64url');
  return { kty: 'RSA', n, e: exponent.toString('base64url'), kid: `${bits} ${exponent.length}`, use: 'jwt-svid' };
}

describe('trust bundles', () => {
  it('come from a file, whose changes are followed; wrong content changes nothing', async () => {
    const file = await bundleFile(domain.bundle());
    const troubles: string[] = [];
    const bundles = await open({ 'example.org': { file } }, troubles);
    expect(bundles.jwtAuthorities('example.org')).toMatchObject({ kind: 'found', authorities: [{ kid: domain.kid }] });
    expect(bundles.x509Authorities('example.org')).toMatchObject({ kind: 'found' });
    expect(bundles.jwtAuthorities('other.org')).toEqual({ kind: 'unknown' });
    await writeFile(file, '{"keys":[{"use":"jwt-svid"}]}');
    await vi.waitFor(() => expect(troubles.join()).toContain('no key that can be used'), patiently);
    expect(bundles.jwtAuthorities('example.org')).toMatchObject({ authorities: [{ kid: domain.kid }] });
    // A domain that withdraws its keys is not trusted any more.
    await writeFile(file, '{"keys":[]}');
    await vi.waitFor(() => expect(bundles.jwtAuthorities('example.org')).toMatchObject({ authorities: [] }), patiently);
    expect(bundles.x509Authorities('example.org')).toMatchObject({ authorities: [] });
    const next = trustDomain();
    await writeFile(file, JSON.stringify(next.bundle()));
    await vi.waitFor(
      () => expect(bundles.jwtAuthorities('example.org')).toMatchObject({ authorities: [{ kid: next.kid }] }),
      patiently,
    );
  });

  it('come from a URL; until it answers, the domain is unavailable', async () => {
    let works = false;
    const url = await serve((_request, response) => {
      response.statusCode = works ? 200 : 500;
      response.end(JSON.stringify(domain.bundle()));
    });
    const troubles: string[] = [];
    const down = await open({ 'example.org': { url } }, troubles);
    expect(down.jwtAuthorities('example.org')).toMatchObject({ kind: 'unavailable' });
    expect(troubles).toEqual(['the bundle of example.org cannot be fetched: the answer is 500']);
    works = true;
    const up = await open({ 'example.org': { url } });
    expect(up.jwtAuthorities('example.org')).toMatchObject({ kind: 'found', authorities: [{ kid: domain.kid }] });
    expect(up.x509Authorities('example.org')).toMatchObject({ authorities: [{}] });
  });

  it('are unavailable once they are closed, wherever they came from [G5]', async () => {
    const api = await fakeSpireAgent(domain, '/a');
    onTestFinished(() => api.close());
    const url = await serve((_request, response) => response.end(JSON.stringify(domain.bundle())));
    for (const place of [{ file: await bundleFile(domain.bundle()) }, { url }, { socket: `unix://${api.socket}` }]) {
      const bundles = await open({ 'example.org': place });
      expect(bundles.x509Authorities('example.org').kind).toBe('found');
      bundles.close();
      const closed = { kind: 'unavailable', cause: 'the bundle of example.org cannot be had: it was closed' };
      expect(bundles.x509Authorities('example.org')).toEqual(closed);
      expect(bundles.jwtAuthorities('example.org')).toEqual(closed);
    }
  });

  it('are not taken from a redirect, or from an answer that is huge or no bundle [A14]', async () => {
    const answers: RequestListener[] = [
      (_request, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end(),
      (_request, response) => response.end('x'.repeat(1024 * 1024 + 1)),
      (_request, response) => response.end('[]'),
      (_request, response) => response.end('{"keys":[{"use":"x509-svid"}]}'),
    ];
    for (const answer of answers) {
      const bundles = await open({ 'example.org': { url: await serve(answer) } });
      expect(bundles.x509Authorities('example.org').kind).toBe('unavailable');
    }
  });

  it('come from a Workload API, and survive its crash', async () => {
    const api = await fakeSpireAgent(domain, '/a');
    onTestFinished(() => api.close());
    const troubles: string[] = [];
    const bundles = await open({ 'example.org': { socket: `unix://${api.socket}` } }, troubles);
    expect(bundles.jwtAuthorities('example.org')).toMatchObject({ kind: 'found', authorities: [{ kid: domain.kid }] });
    expect(bundles.x509Authorities('example.org')).toMatchObject({ kind: 'found' });
    await api.kill();
    await vi.waitFor(() => expect(troubles).toHaveLength(1), patiently);
    expect(bundles.jwtAuthorities('example.org')).toMatchObject({ kind: 'found' });
  });

  it('have no keys of a domain that the Workload API does not list', async () => {
    const api = await fakeSpireAgent(domain, '/a');
    onTestFinished(() => api.close());
    const bundles = await open({ 'other.org': { socket: api.socket } });
    expect(bundles.jwtAuthorities('other.org')).toEqual({ kind: 'found', authorities: [] });
  });

  it('keep the keys of each domain apart', async () => {
    const bundles = await open({
      'example.org': { file: await bundleFile(domain.bundle()) },
      'other.org': { file: await bundleFile(other.bundle()) },
    });
    expect(bundles.jwtAuthorities('other.org')).toMatchObject({ authorities: [{ kid: other.kid }] });
    const found = bundles.x509Authorities('other.org');
    expect(found.kind === 'found' && found.authorities.map(String)).toEqual([String(other.ca.certificate)]);
  });

  it('leave out keys that are private, symmetric, too short, or of another use', () => {
    const [jwt = {}, x509 = {}] = domain.bundle().keys;
    const keys = [
      { ...jwt, d: 'AA' },
      { kty: 'oct', k: 'AA', kid: 'a', use: 'jwt-svid' },
      { ...jwt, use: 'sig' },
      { ...jwt, kid: 1 },
    ];
    const read = readBundle(JSON.stringify({ keys: [...keys, { ...x509, x5c: ['AA'] }, { ...x509, x5c: [] }] }));
    expect(read).toMatchObject({ ok: true, value: { jwtAuthorities: [], x509Authorities: [] } });
  });

  it('leave out the certificate of an authority that spells another one in PEM [Q4]', () => {
    const commonName = `\n${String(trustDomain().ca.certificate)}`;
    const { certificate } = certificateAuthority('example.org', undefined, { commonName });
    const key = { use: 'x509-svid', x5c: [certificate.raw.toString('base64')] };
    expect(readBundle(JSON.stringify({ keys: [key] }))).toMatchObject({ ok: true, value: { x509Authorities: [] } });
    expect(() => readCertificates(certificate.raw)).toThrow('in PEM');
  });

  it('leave out RSA keys that are too large to verify with, or with which everybody can sign [A14, Q1]', () => {
    const [jwt = {}] = domain.bundle().keys;
    const usual = Buffer.from([1, 0, 1]);
    const keys = [rsa(8192, usual), rsa(8200, usual), rsa(16_384, usual), rsa(2048, Buffer.alloc(200, 0xff)), jwt];
    for (const exponent of [[1], [3], [1, 0, 2]]) keys.push(rsa(2048, Buffer.from(exponent)));
    const read = readBundle(JSON.stringify({ keys }));
    const kids = read.ok && read.value.jwtAuthorities.map(({ kid }) => kid);
    expect(kids).toEqual(['8192 3', domain.kid]);
  });

  it('are refused as a whole when two keys have the same kid; keys read before stay in force [A14]', async () => {
    const file = await bundleFile(domain.bundle());
    const troubles: string[] = [];
    const bundles = await open({ 'example.org': { file } }, troubles);
    const next = trustDomain();
    const [another = {}] = next.bundle().keys;
    const [own = {}] = domain.bundle().keys;
    await writeFile(file, JSON.stringify({ keys: [{ ...another, kid: domain.kid }, own] }));
    await vi.waitFor(() => expect(troubles.join()).toContain("two of its keys have the same 'kid'"), patiently);
    const found = bundles.jwtAuthorities('example.org');
    const keys = found.kind === 'found' ? found.authorities.map(({ publicKey }) => publicKey) : [];
    expect(keys.map((key) => key.equals(createPublicKey(domain.jwtKey)))).toEqual([true]);
  });

  it.runIf(hasVectors)('agree with go-spiffe about its bundles', () => {
    expect(count('spiffebundle_valid_1.json')).toEqual([1, 1]);
    expect(count('spiffebundle_valid_2.json')).toEqual([6, 1]);
    expect(count('spiffebundle_multiple_x509.json')).toEqual([1, 0]);
    expect(count('spiffebundle_missing_kid.json')).toEqual([0, 1]);
    expect(count('spiffebundle_no_keys.json')).toBe("it has no list of 'keys'");
  });

  it.each([
    [{}, 'name a trust domain'],
    [{ 'spiffe://example.org': { file: 'a' } }, 'without spiffe://'],
    [{ 'example.org': {} }, 'exactly one of'],
    [{ 'example.org': { file: 'a', url: 'b' } }, 'exactly one of'],
    [{ 'example.org': { path: 'a' } }, 'unknown option'],
    [{ 'example.org': { url: 'http://example.org/' } }, 'https URL'],
    [{ 'example.org': { socket: 'agent.sock' } }, 'Unix socket'],
    [{ 'example.org': { socket: `/${'a'.repeat(107)}` } }, '107 bytes'],
    [{ 'example.org': { file: '/nowhere' } }, 'cannot read'],
  ])('cannot be opened from %j', async (trustDomains, problem) => {
    await expect(openTrustBundles(trustDomains as TrustDomains)).rejects.toThrow(problem);
  });
});
