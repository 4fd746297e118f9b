import { createHash, type X509Certificate } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { agentsFromObjects, type GuardOptions } from '@countersign/core';
import { agentsFromSpiffe } from '@countersign/spiffe';
import { expect, it, onTestFinished } from 'vitest';
import { type Api, onEveryHost } from '../support/api.js';
import { type RawRequest, withFields } from '../support/signed-request.js';
import {
  certificateAuthority,
  issueCertificate,
  type IssuedCertificate,
  trustDomain,
} from '../support/trust-domain.js';
import { reviewer, reviewerId, stranger, userId } from '../support/world.js';

const domain = trustDomain();
const other = trustDomain('other.org');
const id = 'spiffe://example.org/agent/reviewer';
const field = 'X-Forwarded-Client-Cert';

/** A guard behind an Envoy on loopback. */
async function behindEnvoy(
  api: Api,
  guard: Partial<GuardOptions> = {},
  forwardedBy: readonly string[] = ['127.0.0.0/8', '::1'],
) {
  const folder = await mkdtemp(join(tmpdir(), 'bundles-'));
  const files = await Promise.all(
    [domain, other].map(async (each) => {
      const file = join(folder, `${each.name}.json`);
      await writeFile(file, JSON.stringify(each.bundle()));
      return [each.name, { file }];
    }),
  );
  const mtls = await agentsFromSpiffe({
    trustDomains: Object.fromEntries(files),
    agents: [
      { id: 'spiffe://example.org/agent/stopped', status: 'suspended' },
      { id: 'spiffe://example.org/agent/*', capabilities: ['repo:read', 'pr:write'], roles: ['reviewer'] },
    ],
    forwardedBy,
  });
  onTestFinished(async () => {
    mtls.close();
    await rm(folder, { recursive: true });
  });
  return await api.variant({ start: { guard: { mtls, trustedProxies: ['127.0.0.0/8', '::1'], ...guard } } });
}

interface XfccChange {
  readonly chain?: readonly X509Certificate[];
  readonly Hash?: string;
  readonly Cert?: string;
}

function xfcc(certificate: X509Certificate, { chain = [], ...change }: XfccChange = {}): string {
  const pairs = {
    By: 'spiffe://example.org/envoy',
    Hash: createHash('sha256').update(certificate.raw).digest('hex'),
    Cert: `"${encodeURIComponent(certificate.toString())}"`,
    ...(chain.length > 0 && { Chain: `"${encodeURIComponent([certificate, ...chain].map(String).join(''))}"` }),
    URI: id,
    ...change,
  };
  return Object.entries(pairs)
    .map(([name, value]) => `${name}=${value}`)
    .join(';');
}

function plain(api: Api, value: string | undefined, target = '/whoami'): RawRequest {
  const fields = value === undefined ? [] : [[field, value] as const];
  return { method: 'GET', target: api.at(target), fields: [['Host', api.authority], ...fields], body: Buffer.alloc(0) };
}

const own = (change = {}): IssuedCertificate => domain.x509Svid('/agent/reviewer', change);

onEveryHost('A client certificate from a trusted proxy', (api) => {
  it('names the agent by its SPIFFE ID; policy and the log see how it was proved', async () => {
    const guarded = await behindEnvoy(api);
    const { response } = await guarded.accepts(plain(guarded, xfcc(own().certificate)), 200);
    expect(JSON.parse(response.body)).toMatchObject({ actor: { id }, subject: { id } });
    await guarded.denies(plain(guarded, xfcc(own().certificate), '/invoices'), 403, 'policy_denied');
    expect(guarded.records.at(-1)).toMatchObject({ possession: 'mtls', actor: { id } });
  });

  it('may be issued by an intermediate authority', async () => {
    const guarded = await behindEnvoy(api);
    const intermediate = certificateAuthority('example.org', domain.ca);
    const { certificate } = intermediate.issue({ uris: [id], dns: ['agent.example.org'] });
    await guarded.accepts(plain(guarded, xfcc(certificate, { chain: [intermediate.certificate] })), 200);
    await guarded.refuses(plain(guarded, xfcc(certificate)), 401, 'certificate_refused');
  });

  it('acts for a user with a token that names it', async () => {
    const guarded = await behindEnvoy(api);
    const send = async (claims: object) =>
      withFields(plain(guarded, xfcc(own().certificate)), [
        'Authorization',
        `Bearer ${await guarded.token({ ...claims })}`,
      ]);
    const { response } = await guarded.accepts(await send({ act: { sub: id } }), 200);
    expect(JSON.parse(response.body)).toMatchObject({ actor: { id }, subject: { id: userId } });
    await guarded.refuses(await send({}), 401, 'token_not_bound_to_agent');
    await guarded.refuses(
      await send({ act: { sub: id }, cnf: { jkt: stranger.thumbprint } }),
      401,
      'token_not_bound_to_agent',
    );
  });

  it.each<readonly [string, (token: string) => readonly string[]]>([
    ['with the scheme DPoP', (token) => [`DPoP ${token}`]],
    ['after two spaces', (token) => [`Bearer  ${token}`]],
    ['before a comma', (token) => [`Bearer ${token},`]],
    ['twice', (token) => [`Bearer ${token}`, `Bearer ${token}`]],
    ['of another scheme', () => ['Basic dTpw']],
  ])(
    'counts for nothing beside an Authorization that is no token, such as one %s [A17, Q8]',
    async (_title, values) => {
      const guarded = await behindEnvoy(api);
      const token = await guarded.token({ act: { sub: id }, scope: 'repo:read' });
      const fields = values(token).map((value) => ['Authorization', value] as const);
      await guarded.refuses(withFields(plain(guarded, xfcc(own().certificate)), ...fields), 401, 'token_malformed');
    },
  );

  it.each<readonly [string, () => string]>([
    ['of the authority of another domain, with our ID [Q4]', () => xfcc(other.ca.issue({ uris: [id] }).certificate)],
    [
      'of an authority that is in no bundle, with our ID [Q4]',
      () => xfcc(trustDomain().x509Svid('/agent/reviewer').certificate),
    ],
    [
      'that a workload issued [Q4]',
      () => {
        const workload = domain.x509Svid('/agent/evil', { commonName: 'evil' });
        const forged = issueCertificate({ uris: [id] }, { key: workload.key, name: 'evil' });
        return xfcc(forged.certificate, { chain: [workload.certificate] });
      },
    ],
    ['of a domain that no rule names', () => xfcc(other.x509Svid('/agent/reviewer').certificate)],
    ['of a workload that no rule names', () => xfcc(domain.x509Svid('/other').certificate)],
    ['that has expired [Q5]', () => xfcc(own({ notAfter: new Date(Date.now() - 1000) }).certificate)],
    ['that is not valid yet', () => xfcc(own({ notBefore: new Date(Date.now() + 60_000) }).certificate)],
    ['with two SPIFFE IDs', () => xfcc(own({ uris: [id, 'spiffe://example.org/agent/b'] }).certificate)],
    ['without a SPIFFE ID', () => xfcc(own({ uris: [], dns: ['example.org'] }).certificate)],
    ['of an authority itself', () => xfcc(own({ isCa: true }).certificate)],
    ['whose Hash is of another one [Q7]', () => xfcc(own().certificate, { Hash: 'a'.repeat(64) })],
    ['without Cert [Q7]', () => `Hash=${'a'.repeat(64)};URI=${id}`],
    ['after one that the client wrote [Q7]', () => `${xfcc(own().certificate)},${xfcc(own().certificate)}`],
    ['with a name twice [Q7]', () => `${xfcc(own().certificate)};cert=x`],
    ['with a quote that does not end [Q7]', () => `${xfcc(own().certificate)};Subject="CN=x`],
    ['in JSON [Q7]', () => JSON.stringify([{ Cert: own().certificate.toString() }]).replaceAll('\\n', '')],
    ['that is no certificate [Q7]', () => xfcc(own().certificate, { Cert: 'x' })],
  ])('is refused if it is one %s', async (_what, value) => {
    const guarded = await behindEnvoy(api);
    await guarded.refuses(plain(guarded, value()), 401, 'certificate_refused');
  });

  it('counts from a trusted proxy only, and never as that of the proxy [Q7]', async () => {
    await expect(behindEnvoy(api, { trustedProxies: [] })).rejects.toThrow("'trustedProxies'");
    // A certificate is public, and other proxies pass on what a client wrote.
    const trustedProxies = ['127.0.0.0/8', '::1', '10.0.0.7'];
    for (const forwardedBy of [[], ['10.0.0.7']]) {
      const ordinary = await behindEnvoy(api, { trustedProxies }, forwardedBy);
      await ordinary.refuses(plain(ordinary, xfcc(own().certificate)), 401, 'signature_required');
    }
    const guarded = await behindEnvoy(api);
    await guarded.refuses(plain(guarded, undefined), 401, 'signature_required');
    const twice = withFields(plain(guarded, xfcc(own().certificate)), [field, xfcc(own().certificate)]);
    await guarded.refuses(twice, 401, 'certificate_refused');
    // Without the option it counts for nothing.
    await api.refuses(plain(api, xfcc(own().certificate)), 401, 'signature_required');
  });

  it('covers no field that gives authority, and stands in for no broken proof [Q8]', async () => {
    const guarded = await behindEnvoy(api);
    const request = plain(guarded, xfcc(own().certificate));
    for (const name of ['Agent-Delegation', 'Agent-Approval', 'X-HTTP-Method-Override']) {
      await guarded.refuses(withFields(request, [name, 'DELETE']), 401, 'credential_uncovered');
    }
    await guarded.refuses(withFields(request, ['Signature-Input', 'x']), 400, 'signature_malformed');
    await guarded.refuses(
      withFields(guarded.signed({ key: stranger }), [field, xfcc(own().certificate)]),
      401,
      'key_unknown',
    );
    // Beside a signature it is not looked at.
    const { response } = await guarded.accepts(withFields(guarded.signed(), [field, 'x']), 200);
    expect(JSON.parse(response.body)).toMatchObject({ actor: { id: reviewerId } });
  });

  it('does not count for a name that a directory knows; nor does an issuer vouch for a name of a certificate [Q3]', async () => {
    const agents = agentsFromObjects([{ id, jwk: reviewer.publicJwk, capabilities: ['repo:read'] }]);
    const known = await behindEnvoy(api, { agents });
    await known.refuses(plain(known, xfcc(own().certificate)), 401, 'certificate_refused');
    agents.suspend(id);
    await known.refuses(plain(known, xfcc(own().certificate)), 401, 'agent_suspended');
    const guarded = await behindEnvoy(api);
    const stopped = domain.x509Svid('/agent/stopped').certificate;
    await guarded.refuses(plain(guarded, xfcc(stopped)), 401, 'agent_suspended');
    const token = await guarded.token({ act: { sub: id }, cnf: { jwk: stranger.publicJwk } });
    await guarded.refuses(guarded.signed({ key: stranger, token }), 401, 'token_not_bound_to_agent');
  });

  it('is answered 503 while a directory or the bundle cannot be asked', async () => {
    const agents = {
      findByThumbprint: () => ({ kind: 'unknown' }) as const,
      statusOf: () => Promise.reject(new Error('down')),
    };
    const guarded = await behindEnvoy(api, { agents });
    await guarded.refuses(plain(guarded, xfcc(own().certificate)), 503, 'keys_unavailable');
    const mtls = await agentsFromSpiffe({
      trustDomains: { 'example.org': { url: 'http://127.0.0.1:1/' } },
      agents: [{ id }],
      forwardedBy: ['127.0.0.0/8', '::1'],
      onTrouble: () => {},
    });
    onTestFinished(() => mtls.close());
    const withoutBundle = await behindEnvoy(api, { mtls });
    await withoutBundle.refuses(plain(withoutBundle, xfcc(own().certificate)), 503, 'keys_unavailable');
  });
});
