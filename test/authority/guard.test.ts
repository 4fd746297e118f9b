import { createAgent, generateAgentKey, type Signer } from '@countersign/agent';
import { type Authority, type AuthorityOptions } from '@countersign/authority';
import { agentsFromAuthority, agentsFromObjects, cedarFromText, createGuard, memoryAudit } from '@countersign/core';
import { agentAuth, getCaller, permit } from '@countersign/node-http';
import * as oauth from 'oauth4webapi';
import { expect, it, onTestFinished, vi } from 'vitest';
import { patiently } from '../support/patiently.js';
import { listen, newAgentKey, startAuthority, type Started } from './support.js';

const local = { dangerouslyAllowHttp: true, dangerouslyAllowPrivateAddresses: true } as const;
const tokenType = 'urn:ietf:params:oauth:token-type:access_token';

/** An API whose guard follows an authority, and a policy that permits whoever has `repo:read`. */
async function world(options: Partial<AuthorityOptions> & { readonly follow?: boolean } = {}) {
  const { follow = true, ...rest } = options;
  let handle: Parameters<typeof listen>[0] | undefined;
  const api = await listen((request, response) => handle?.(request, response));
  const started = await startAuthority({ audience: api, ...rest });
  const audit = memoryAudit();
  const guard = await createGuard({
    origin: api,
    agents: follow ? await agentsFromAuthority(started.issuer, { maxAgeSeconds: 1, ...local }) : agentsFromObjects([]),
    issuers: [{ issuer: started.issuer, ...local }],
    policy: await cedarFromText({
      policies: 'permit (principal, action, resource) when { context.scope.contains("repo:read") };',
    }),
    audit,
  });
  onTestFinished(() => guard.close());
  const auth = agentAuth(guard);
  const mayRead = permit('repo.read', { type: 'Repo', id: 'acme/api' });
  handle = async (request, response) => {
    if (!(await auth(request, response)) || !(await mayRead(request, response))) return;
    const caller = getCaller(request);
    response.setHeader('content-type', 'application/json');
    response.end(
      JSON.stringify({ actor: caller?.actor.id, chain: caller?.chain.map(({ id }) => id), scope: caller?.scope }),
    );
  };
  return { api, audit, ...started };
}

async function register(authority: Authority, id: string) {
  const keys = await newAgentKey();
  await authority.agents.add({ id, jwk: keys.key.publicJwk, capabilities: ['repo:read', 'pr:write'] });
  return { id, ...keys };
}

/** A grant by a library that knows nothing of us. */
async function grant(
  { issuer }: Started,
  agent: Awaited<ReturnType<typeof register>>,
  type: string,
  parameters: Record<string, string>,
) {
  const insecure = { [oauth.allowInsecureRequests]: true };
  const url = new URL(issuer);
  const server = await oauth.processDiscoveryResponse(
    url,
    await oauth.discoveryRequest(url, { algorithm: 'oauth2', ...insecure }),
  );
  const response = await oauth.genericTokenEndpointRequest(
    server,
    { client_id: agent.id },
    oauth.PrivateKeyJwt(agent.privateKey),
    type,
    new URLSearchParams(parameters),
    insecure,
  );
  return (await oauth.processGenericTokenEndpointResponse(server, { client_id: agent.id }, response)).access_token;
}

const read = async (agent: Signer, api: string) => await agent.fetch(`${api}/`);

it('a guard that follows the authority lets a delegated call in, with its whole chain', async () => {
  const started = await world({
    exchange: [
      { agents: ['agent-a'], issuer: 'https://login.acme.dev' },
      { agents: ['agent-b'], from: ['agent-a'] },
    ],
  });
  const { api, authority, idp, audit } = started;
  const [a, b] = [await register(authority, 'agent-a'), await register(authority, 'agent-b')];
  const exchanged = async (agent: typeof a, token: string) =>
    await grant(started, agent, 'urn:ietf:params:oauth:grant-type:token-exchange', {
      subject_token: token,
      subject_token_type: tokenType,
      resource: api,
    });
  const first = await exchanged(a, await idp.token('alice', 'repo:read'));
  const second = await exchanged(b, first);

  const agentA = (await createAgent({ id: a.id, key: a.key })).withToken(first);
  const agentB = (await createAgent({ id: b.id, key: b.key })).withToken(second);
  expect(await (await read(agentA, api)).json()).toEqual({
    actor: 'agent-a',
    chain: ['acme:alice', 'agent-a'],
    scope: ['repo:read'],
  });
  expect(await (await read(agentB, api)).json()).toMatchObject({ actor: 'agent-b', scope: ['repo:read'] });
  expect(audit.records.filter(({ phase }) => phase === 'decision').map(({ subject }) => subject?.id)).toEqual([
    'acme:alice',
    'acme:alice',
  ]);

  const thief = (await createAgent({ id: b.id, key: b.key })).withToken(first);
  expect((await read(thief, api)).status).toBe(401);
});

it('a guard refuses a token once it, or what it was made from, is revoked [B11, C7]', async () => {
  const started = await world({
    exchange: [
      { agents: ['agent-a'], issuer: 'https://login.acme.dev' },
      { agents: ['agent-b'], from: ['agent-a'] },
    ],
  });
  const { authority, api, idp } = started;
  const [a, b] = [await register(authority, 'agent-a'), await register(authority, 'agent-b')];
  const parameters = { subject_token_type: tokenType, resource: api };
  const type = 'urn:ietf:params:oauth:grant-type:token-exchange';
  const first = await grant(started, a, type, { ...parameters, subject_token: await idp.token('alice', 'repo:read') });
  const second = await grant(started, b, type, { ...parameters, subject_token: first });
  // The guard has not read the status list yet: what it has read counts for its `ttl`.
  expect(await authority.delegations.revoke({ subject: 'acme:alice' })).toBe(2);
  const agentB = (await createAgent({ id: b.id, key: b.key })).withToken(second);
  const refused = await read(agentB, api);
  expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([401, 'token_revoked']);
});

it('a guard lets an agent act for itself with its token, and with its key alone', async () => {
  const started = await world();
  const agent = await register(started.authority, 'agent-a');
  const token = await grant(started, agent, 'client_credentials', { scope: 'repo:read' });
  const own = await createAgent({ id: agent.id, key: agent.key });
  expect(await (await read(own.withToken(token), started.api)).json()).toMatchObject({
    chain: ['agent-a'],
    scope: ['repo:read'],
  });
  // The guard has read the directory before the agent was in it.
  await vi.waitFor(async () => expect((await read(own, started.api)).status).toBe(200), patiently);
  expect(await (await read(own, started.api)).json()).toMatchObject({
    chain: ['agent-a'],
    scope: ['pr:write', 'repo:read'],
  });
});

it('an agent that has nothing but its key trades a signed challenge for a token', async () => {
  const { issuer, authority, api } = await world();
  const key = generateAgentKey();
  await authority.agents.add({
    id: 'agent-code-reviewer-01',
    publicKey: key.publicKey,
    capabilities: ['repo:read', 'pr:write:draft'],
  });
  await authority.challenges.expect('agent-code-reviewer-01', 'approve-request:174325');
  const message = Buffer.from('approve-request:174325');
  const request = {
    agent_id: 'agent-code-reviewer-01',
    message: message.toString('base64'),
    signature: Buffer.from(key.sign(message)).toString('base64'),
  };
  const trade = async () =>
    await fetch(`${issuer}/challenge/token`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify(request),
    });
  const traded = await trade();
  expect(traded.status).toBe(200);
  const { access_token: token } = (await traded.json()) as { access_token: string };
  const agent = (await createAgent({ id: request.agent_id, key })).withToken(token);
  expect((await read(agent, api)).status).toBe(200);
  expect((await trade()).status).toBe(400);
});

it('a guard without a directory lets agents in by their tokens, for whose keys the authority vouches', async () => {
  const started = await world({ follow: false });
  const agent = await register(started.authority, 'agent-a');
  const own = await createAgent({ id: agent.id, key: agent.key });
  const token = await grant(started, agent, 'client_credentials', { scope: 'repo:read' });
  expect((await read(own.withToken(token), started.api)).status).toBe(200);
  expect((await read(own, started.api)).status).toBe(401);
  const other = await createAgent({ id: agent.id, key: generateAgentKey() });
  expect((await read(other.withToken(token), started.api)).status).toBe(401);
});

it('a guard accepts the longest chain that the authority makes, and one that begins with an agent [C1]', async () => {
  const ids = Array.from({ length: 6 }, (_, index) => `agent-${index}`);
  const started = await world({
    exchange: [
      { agents: ids.slice(0, 1), issuer: 'https://login.acme.dev' },
      ...ids.slice(1).map((id, index) => ({ agents: [id], from: [`agent-${index}`] })),
    ],
  });
  const { api, authority, idp } = started;
  const agents: Awaited<ReturnType<typeof register>>[] = [];
  for (const id of ids) agents.push(await register(authority, id));
  const exchanged = async (agent: (typeof agents)[number], token: string) =>
    await grant(started, agent, 'urn:ietf:params:oauth:grant-type:token-exchange', {
      subject_token: token,
      subject_token_type: tokenType,
      resource: api,
    });
  const chainOf = async (agent: (typeof agents)[number], token: string) => {
    const response = await read((await createAgent({ id: agent.id, key: agent.key })).withToken(token), api);
    return ((await response.json()) as { chain?: string[] }).chain;
  };
  let token = await idp.token('alice', 'repo:read');
  for (const agent of agents.slice(0, 5)) token = await exchanged(agent, token);
  const [first, second, , , last, next] = agents;
  if (first === undefined || second === undefined || last === undefined || next === undefined)
    throw new Error('no agents');
  expect((await chainOf(last, token))?.at(-1)).toBe('agent-4');
  await expect(exchanged(next, token)).rejects.toThrow();

  const own = await grant(started, first, 'client_credentials', { scope: 'repo:read' });
  expect(await chainOf(second, await exchanged(second, own))).toEqual(['agent-0', 'agent-1']);
});
