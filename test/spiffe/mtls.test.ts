import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect as connectHttp2 } from 'node:http2';
import { Agent, get, type RequestOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect, type Server, type TLSSocket } from 'node:tls';
import { agentsFromSpiffe } from '@countersign/spiffe';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import type { Host } from '../hosts/host.js';
import { startHost } from '../hosts/host.js';
import { hosts } from '../hosts/hosts.js';
import { patiently } from '../support/patiently.js';
import {
  certificateAuthority,
  type IssuedCertificate,
  type TrustDomain,
  trustDomain,
} from '../support/trust-domain.js';
import { worldConfig } from '../support/world.js';

const id = 'spiffe://example.org/agent/reviewer';

interface Answer {
  readonly status: number;
  readonly body: { readonly actor?: { readonly id: string }; readonly code?: string };
}

async function publish(file: string, bundle: object): Promise<void> {
  await writeFile(file, JSON.stringify(bundle));
}

/** A host with TLS that knows two trust domains, and a clock that the test sets ahead. */
async function startTls(host: Host, { http2 = false, other = trustDomain('other.org'), domain = trustDomain() } = {}) {
  const folder = await mkdtemp(join(tmpdir(), 'mtls-'));
  const files = { domain: join(folder, 'domain.json'), other: join(folder, 'other.json') };
  await Promise.all([publish(files.domain, domain.bundle()), publish(files.other, other.bundle())]);
  const mtls = await agentsFromSpiffe({
    trustDomains: { 'other.org': { file: files.other }, 'example.org': { file: files.domain } },
    agents: [{ id: 'spiffe://example.org/agent/*', capabilities: ['repo:read'] }],
  });
  const shown = domain.x509Svid('/api');
  const identity = { key: shown.keyPem, cert: shown.certificatePem };
  let server: Server | undefined;
  let later = 0;
  const running = await startHost(host, worldConfig(folder), {
    http2,
    tls: { options: mtls.tlsOptions(identity), started: (started) => (server = started) },
    guard: { mtls, clock: () => Date.now() + later },
  });
  const stop = mtls.follow(server as Server, identity);
  onTestFinished(async () => {
    stop();
    await running.close();
    mtls.close();
    await rm(folder, { recursive: true, force: true });
  });
  return {
    domain,
    other,
    running,
    ca: domain.ca.certificate.toString(),
    setAhead: (milliseconds: number) => void (later = milliseconds),
    /** Replaces the authorities of the own domain. */
    replaceBundle: (next: TrustDomain) => publish(files.domain, next.bundle()),
  };
}

function shows({ keyPem, certificatePem }: IssuedCertificate, ...more: readonly { toString(): string }[]) {
  return { key: keyPem, cert: [certificatePem, ...more].map(String).join('') };
}

/** Below an authority that the client sends along. */
function showsThrough(domain: TrustDomain) {
  const intermediate = certificateAuthority('example.org', domain.ca);
  return shows(intermediate.issue({ uris: [id] }), intermediate.certificate);
}

async function ask(url: string, options: RequestOptions): Promise<Answer> {
  const request = get(`${url}/whoami`, { agent: false, checkServerIdentity: () => undefined, ...options });
  const [response] = (await once(request, 'response')) as [AsyncIterable<unknown> & { statusCode: number }];
  let text = '';
  for await (const chunk of response) text += String(chunk);
  return { status: response.statusCode, body: JSON.parse(text) as Answer['body'] };
}

describe.each(hosts.map((host) => [host.name, host] as const))('mTLS on %s', (_name, host) => {
  it('names the agent by the certificate of the connection', async () => {
    const { running, domain, ca } = await startTls(host);
    const { status, body } = await ask(running.url, { ca, ...shows(domain.x509Svid('/agent/reviewer')) });
    expect([status, body.actor?.id]).toEqual([200, id]);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    const through = { ca, agent, ...showsThrough(domain) };
    expect([(await ask(running.url, through)).status, (await ask(running.url, through)).status]).toEqual([200, 200]);
  });

  it('refuses a foreign authority with our ID, an expired one, and none at all [Q4, Q5]', async () => {
    const { running, domain, other, ca } = await startTls(host);
    const refused = async (options: RequestOptions) => {
      const { status, body } = await ask(running.url, { ca, ...options });
      return [status, body.code];
    };
    expect(await refused(shows(other.ca.issue({ uris: [id] })))).toEqual([401, 'certificate_refused']);
    expect(await refused(shows(trustDomain().x509Svid('/agent/reviewer')))).toEqual([401, 'certificate_refused']);
    const expired = domain.x509Svid('/agent/reviewer', { notAfter: new Date(Date.now() - 1000) });
    expect(await refused(shows(expired))).toEqual([401, 'certificate_refused']);
    expect(await refused({})).toEqual([401, 'signature_required']);
  });

  it('accepts our workloads beside an authority of another domain that bears our name [Q4]', async () => {
    const domain = trustDomain();
    const namesake = certificateAuthority('other.org', undefined, { commonName: domain.ca.subject });
    const { running, ca } = await startTls(host, { domain, other: trustDomain('other.org', namesake) });
    const status = async (by: IssuedCertificate) => (await ask(running.url, { ca, ...shows(by) })).status;
    expect(await status(domain.x509Svid('/agent/reviewer'))).toBe(200);
    expect(await status(namesake.issue({ uris: [id] }))).toBe(401);
  });

  it('asks for each request whether certificate and authority still count [Q5]', async () => {
    const { running, domain, ca, setAhead, replaceBundle } = await startTls(host);
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    onTestFinished(() => agent.destroy());
    const svid = domain.x509Svid('/agent/reviewer', { notAfter: new Date(Date.now() + 600_000) });
    const options = { ca, agent, ...shows(svid) };
    expect((await ask(running.url, options)).status).toBe(200);
    setAhead(601_000);
    expect(await ask(running.url, options)).toMatchObject({ status: 401, body: { code: 'certificate_refused' } });
    setAhead(0);
    expect((await ask(running.url, options)).status).toBe(200);
    const next = trustDomain();
    await replaceBundle(next);
    await vi.waitFor(async () => expect((await ask(running.url, options)).status).toBe(401), patiently);
    // A new connection with a new certificate counts without a restart.
    const renewed = { ca, ...shows(next.x509Svid('/agent/reviewer')) };
    await vi.waitFor(async () => expect((await ask(running.url, renewed)).status).toBe(200), patiently);
  });

  it('resumes no session [Q5]', async () => {
    const { running, domain, ca } = await startTls(host);
    const { port, hostname } = new URL(running.url);
    const open = async (session?: Buffer): Promise<TLSSocket> => {
      const given = {
        host: hostname,
        port: Number(port),
        ca,
        checkServerIdentity: () => undefined,
        ...(session && { session }),
      };
      const socket = connect({ ...given, ...shows(domain.x509Svid('/agent/reviewer')) });
      await once(socket, 'secureConnect');
      return socket;
    };
    const first = await open();
    const sessions: Buffer[] = [];
    first.on('session', (session) => sessions.push(session));
    first.write('GET /whoami HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
    first.resume();
    await once(first, 'close');
    expect(sessions.length).toBeGreaterThan(0);
    const second = await open(sessions.at(-1));
    expect(second.isSessionReused()).toBe(false);
    second.destroy();
  });

  it.runIf(host.http2)('names the agent on each stream of an HTTP/2 connection', async () => {
    const { running, domain, ca } = await startTls(host, { http2: true });
    const given = { ca, checkServerIdentity: () => undefined, ...showsThrough(domain) };
    const session = connectHttp2(running.url, given);
    onTestFinished(() => session.destroy());
    for (const _time of [1, 2]) {
      const stream = session.request({ ':path': '/whoami' });
      const [headers] = (await once(stream, 'response')) as [Record<string, unknown>];
      let text = '';
      for await (const chunk of stream) text += String(chunk);
      expect([headers[':status'], (JSON.parse(text) as Answer['body']).actor?.id]).toEqual([200, id]);
    }
  });
});
