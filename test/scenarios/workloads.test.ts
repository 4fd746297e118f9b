import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createAgent, generateAgentKey } from '@countersign/agent';
import { createAuthority, openSqlite } from '@countersign/authority';
import { agentsFromAuthority, agentsFromObjects, combine } from '@countersign/core';
import { expect, it, onTestFinished } from 'vitest';
import { type Api, onEveryHost } from '../support/api.js';
import { down, loopback, startKeyServer } from '../support/key-server.js';
import { trustDomain } from '../support/trust-domain.js';
import { fakeSpireAgent } from '../support/workload-api.js';
import { reviewer } from '../support/world.js';

const workloadId = 'spiffe://example.org/agent/reviewer';

/** A guarded API, an authority that trusts a trust domain, and a workload of that domain. */
async function workload(api: Api) {
  const domain = trustDomain();
  const folder = await mkdtemp(join(tmpdir(), 'bundle-'));
  const file = join(folder, 'bundle.json');
  await writeFile(file, JSON.stringify(domain.bundle()));
  const spire = await fakeSpireAgent(domain, '/agent/reviewer');
  onTestFinished(() => spire.close());

  const server = await startKeyServer(down);
  const authority = await createAuthority({
    issuer: server.url,
    secret: 'secret-of-the-scenarios-0123456789-0123456789',
    store: await openSqlite(':memory:'),
    resources: [{ audience: 'https://api.acme.dev' }],
    spiffe: {
      trustDomains: { 'example.org': { file } },
      workloads: [{ id: 'spiffe://example.org/agent/*', capabilities: ['repo:read', 'pr:write'] }],
    },
  });
  onTestFinished(async () => {
    await authority.close();
    await rm(folder, { recursive: true });
  });
  server.answer = authority.listener;

  let later = 0;
  const clock = () => Date.now() + later * 1000;
  const registered = agentsFromObjects([]);
  const agents = combine(registered, await agentsFromAuthority(server.url, { ...loopback, clock }));
  const issuers = [{ issuer: server.url, ...loopback, audience: 'https://api.acme.dev' }];
  const guarded = await api.variant({ start: { guard: { agents, issuers } } });
  const agent = await createAgent({ spiffe: { socket: spire.socket }, authority: server.url });
  return {
    domain,
    authority,
    registered,
    guarded,
    agent,
    issuer: server.url,
    socket: spire.socket,
    later: () => void (later += 16),
  };
}

onEveryHost('A workload with a SPIFFE identity', (api) => {
  it('calls without a registration: its SPIFFE ID is the actor', async () => {
    const { guarded, agent } = await workload(api);
    const response = await agent.fetch(`${guarded.url}/whoami`);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({ actor: { id: workloadId }, subject: { id: workloadId } });
    expect(guarded.records.map(({ actor }) => actor?.id)).toContain(workloadId);
  });

  it('is refused with its JWT-SVID as a bearer token [Q2]', async () => {
    const { guarded, domain } = await workload(api);
    const token = domain.jwtSvid('/agent/reviewer', 'https://api.acme.dev');
    const response = await fetch(`${guarded.url}/whoami`, { headers: { authorization: `Bearer ${token}` } });
    expect(response.status).toBe(401);
    await guarded.refuses(guarded.signed({ token }), 401, 'token_invalid');
  });

  it('is refused at once when it is suspended at the authority [C7]', async () => {
    const { guarded, agent, authority, later } = await workload(api);
    expect((await agent.fetch(`${guarded.url}/whoami`)).status).toBe(200);
    await authority.agents.setStatus(workloadId, 'suspended');
    later();
    const response = await agent.fetch(`${guarded.url}/whoami`);
    expect([response.status, await codeOf(response)]).toEqual([401, 'token_not_bound_to_agent']);
    await authority.agents.setStatus(workloadId, 'active');
    later();
    expect((await agent.fetch(`${guarded.url}/whoami`)).status).toBe(200);
  });

  it('is refused at once when its pattern is suspended at the authority, and those that come later get no token [C7]', async () => {
    const { guarded, agent, authority, later, socket, issuer } = await workload(api);
    expect((await agent.fetch(`${guarded.url}/whoami`)).status).toBe(200);
    await authority.agents.setStatusByPattern('spiffe://example.org/agent/*', 'suspended');
    later();
    const response = await agent.fetch(`${guarded.url}/whoami`);
    expect([response.status, await codeOf(response)]).toEqual([401, 'token_not_bound_to_agent']);
    const again = await createAgent({ spiffe: { socket }, authority: issuer });
    await expect(again.fetch(`${guarded.url}/whoami`)).rejects.toMatchObject({ code: 'token_refused' });
  });

  it('hands on to a registered agent offline: its token vouches for the key of its link', async () => {
    const { guarded, agent, registered } = await workload(api);
    const key = generateAgentKey();
    registered.register({ id: 'agent-runner', jwk: key.publicJwk, capabilities: ['repo:read'] });
    const runner = await createAgent({ id: 'agent-runner', key });
    const bundle = await agent.delegate('agent-runner', { scope: 'repo:read' });
    const response = await runner.accept(bundle).fetch(`${guarded.url}/whoami`);
    expect(response.status).toBe(200);
    expect(await response.json()).toMatchObject({
      actor: { id: 'agent-runner' },
      subject: { id: workloadId },
      scope: ['repo:read'],
    });
  });

  it('is refused by an API whose own directory knows its SPIFFE ID with other keys [Q3]', async () => {
    const { guarded, agent, registered } = await workload(api);
    registered.register({ id: workloadId, jwk: reviewer.publicJwk, capabilities: ['repo:read'] });
    const response = await agent.fetch(`${guarded.url}/whoami`);
    expect([response.status, await codeOf(response)]).toEqual([401, 'token_not_bound_to_agent']);
    // The directory decides: the key that it lists is the one that counts.
    await guarded.accepts(guarded.signed(), 200);
  });
});

async function codeOf(response: Response): Promise<unknown> {
  return ((await response.json()) as { readonly code?: unknown }).code;
}
