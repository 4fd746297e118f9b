import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect as connectHttp2 } from 'node:http2';
import { get, type RequestOptions } from 'node:https';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { agentsFromSpiffe } from '@countersign/spiffe';
import { describe, expect, it, onTestFinished } from 'vitest';
import { type Host, startHost } from '../hosts/host.js';
import { hosts } from '../hosts/hosts.js';
import { findEnvoy, startEnvoy } from '../support/envoy.js';
import { freePort } from '../support/free-port.js';
import { certificateAuthority, type IssuedCertificate, trustDomain } from '../support/trust-domain.js';
import { worldConfig } from '../support/world.js';

const program = findEnvoy();
const domain = trustDomain();
const other = trustDomain('other.org');
const id = 'spiffe://example.org/agent/reviewer';
const ca = domain.ca.certificate.toString();

/** A guarded host behind an Envoy that ends TLS, by each way of forwarding certificates. */
async function behindEnvoy(host: Host) {
  const folder = await mkdtemp(join(tmpdir(), 'envoy-'));
  const files = [domain, other].map(({ name }) => join(folder, `${name}.json`));
  await Promise.all(
    [domain, other].map((each, index) => writeFile(String(files[index]), JSON.stringify(each.bundle()))),
  );
  const mtls = await agentsFromSpiffe({
    trustDomains: { 'example.org': { file: String(files[0]) }, 'other.org': { file: String(files[1]) } },
    agents: [{ id: 'spiffe://example.org/agent/*', capabilities: ['repo:read'] }],
    forwardedBy: ['127.0.0.1'],
  });
  const [sanitizing, appending] = [await freePort(), await freePort()];
  const origin = [`https://127.0.0.1:${sanitizing}`, `https://127.0.0.1:${appending}`];
  const guard = { mtls, origin, trustedProxies: ['127.0.0.1'] };
  const running = await startHost(host, worldConfig(folder), { guard });
  const shown = domain.x509Svid('/envoy');
  const stop = await startEnvoy({
    program: String(program),
    folder,
    fronts: [
      { port: sanitizing, forwarding: 'SANITIZE_SET' },
      { port: appending, forwarding: 'APPEND_FORWARD' },
    ],
    upstream: Number(new URL(running.url).port),
    keyPem: shown.keyPem,
    certificatePem: shown.certificatePem,
    // Envoy knows no trust domains: whom a certificate names is for the guard to judge.
    authorities: ca + other.ca.certificate.toString(),
  });
  onTestFinished(async () => {
    await stop();
    await running.close();
    mtls.close();
    await rm(folder, { recursive: true, force: true });
  });
  return { sanitizing: String(origin[0]), appending: String(origin[1]) };
}

function shows({ keyPem, certificatePem }: IssuedCertificate, ...more: readonly { toString(): string }[]) {
  return { key: keyPem, cert: [certificatePem, ...more].map(String).join('') };
}

interface Answer {
  readonly actor?: { readonly id: string };
  readonly code?: string;
}

/** The status with the actor or the code. */
async function ask(url: string, options: RequestOptions): Promise<readonly [number, string | undefined]> {
  const request = get(`${url}/whoami`, { ca, agent: false, checkServerIdentity: () => undefined, ...options });
  const [response] = (await once(request, 'response')) as [AsyncIterable<unknown> & { statusCode: number }];
  let text = '';
  for await (const chunk of response) text += String(chunk);
  const { actor, code } = JSON.parse(text) as Answer;
  return [response.statusCode, actor?.id ?? code];
}

/** The field as an Envoy would write it for a certificate, written by a client. */
function madeUp({ certificate }: IssuedCertificate): { readonly 'x-forwarded-client-cert': string } {
  const hash = createHash('sha256').update(certificate.raw).digest('hex');
  return { 'x-forwarded-client-cert': `Hash=${hash};Cert="${encodeURIComponent(certificate.toString())}"` };
}

function underscored(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.replaceAll('-', '_'), value]));
}

describe.skipIf(program === undefined).each(hosts.map((host) => [host.name, host] as const))(
  'behind a real Envoy, on %s',
  (_name, host) => {
    it('the certificate of the connection to Envoy names the agent, and no other [Q4, Q7]', async () => {
      const { sanitizing, appending } = await behindEnvoy(host);
      const own = shows(domain.x509Svid('/agent/reviewer'));
      expect(await ask(sanitizing, own)).toEqual([200, id]);
      const intermediate = certificateAuthority('example.org', domain.ca);
      const through = shows(intermediate.issue({ uris: [id] }), intermediate.certificate);
      expect(await ask(sanitizing, through)).toEqual([200, id]);

      // A certificate is public: whoever has seen that of another workload can write it down.
      const headers = madeUp(domain.x509Svid('/agent/other'));
      expect(await ask(sanitizing, { ...own, headers })).toEqual([200, id]);
      expect(await ask(sanitizing, { headers })).toEqual([401, 'signature_required']);
      expect(await ask(sanitizing, {})).toEqual([401, 'signature_required']);

      // Named as a field of the connection, and as one that only looks like it.
      for (const more of [{ connection: 'close, x-forwarded-client-cert' }, underscored(headers)]) {
        expect(await ask(sanitizing, { ...own, headers: { ...headers, ...more } })).toEqual([200, id]);
        expect(await ask(sanitizing, { headers: { ...headers, ...more } })).toEqual([401, 'signature_required']);
      }

      // An authority that Envoy trusts too, with our ID.
      expect(await ask(sanitizing, shows(other.ca.issue({ uris: [id] })))).toEqual([401, 'certificate_refused']);

      // The wrong way of forwarding is noticed where it could be abused.
      expect(await ask(appending, { ...own, headers })).toEqual([401, 'certificate_refused']);
    });

    it('streams of one HTTP/2 connection to Envoy each have the certificate', async () => {
      const { sanitizing } = await behindEnvoy(host);
      const given = { ca, checkServerIdentity: () => undefined, ...shows(domain.x509Svid('/agent/reviewer')) };
      const session = connectHttp2(sanitizing, given);
      onTestFinished(() => session.destroy());
      const asked = Array.from({ length: 4 }, async () => {
        const stream = session.request({ ':path': '/whoami' });
        let text = '';
        for await (const chunk of stream) text += String(chunk);
        return (JSON.parse(text) as Answer).actor?.id;
      });
      expect(await Promise.all(asked)).toEqual([id, id, id, id]);
    });
  },
);
