import type { RequestListener } from 'node:http';
import type { Authority } from '@countersign/authority';
import { developmentUser } from '@countersign/authority';
import { agentsFromAuthority, cedarFromText, createGuard, memoryAudit } from '@countersign/core';
import { agentAuth, getCaller, permit } from '@countersign/node-http';
import { createAgent } from '@countersign/agent';
import express from 'express';
import express4 from 'express4';
import * as oauth from 'oauth4webapi';
import * as openid from 'openid-client';
import { describe, expect, it, onTestFinished } from 'vitest';
import { listen, newAgentKey, startAuthority } from './support.js';

const redirectUri = 'http://127.0.0.1:4999/callback';
const local = { dangerouslyAllowHttp: true, dangerouslyAllowPrivateAddresses: true } as const;
const users = { authenticate: developmentUser('user:alice', 'Alice') };

async function world(path = '', mount?: Parameters<typeof startAuthority>[1]) {
  let handle: Parameters<typeof listen>[0] | undefined;
  const audience = await listen((request, response) => handle?.(request, response));
  const started = await startAuthority({ audience, path, users }, mount);
  const { key, privateKey } = await newAgentKey();
  await started.authority.agents.add({
    id: 'agent-a',
    jwk: key.publicJwk,
    capabilities: ['repo:read', 'pr:write'],
    redirectUris: [redirectUri],
  });
  const serve = (listener: typeof handle) => {
    handle = listener;
  };
  return { ...started, audience, key, privateKey, serve };
}

/** The user opens the page and allows what it shows. Returns where the browser is sent then. */
async function allow(authorization: URL): Promise<URL> {
  const page = await fetch(authorization, { redirect: 'manual' });
  const text = await page.text();
  const [, action = ''] = /action="([^"]+)"/.exec(text) ?? [];
  const [, ticket = ''] = /name="ticket" value="([^"]+)"/.exec(text) ?? [];
  const scopes = [...text.matchAll(/name="scope" value="([^"]+)"/g)].map(([, scope]) => ['scope', String(scope)]);
  const fields = [['ticket', ticket], ['seconds', '300'], ['uses', ''], ['decision', 'allow'], ...scopes];
  const body = new URLSearchParams(fields.map(([name, value]): [string, string] => [String(name), String(value)]));
  const answered = await fetch(action, { method: 'POST', body, redirect: 'manual' });
  expect(answered.status).toBe(303);
  return new URL(String(answered.headers.get('location')));
}

const mounts: readonly (readonly [string, (authority: Authority) => RequestListener])[] = [
  ['node:http', ({ listener }) => listener],
  ['Express 5', ({ listener }) => express().use(listener)],
  ['Express 5 after a parser', ({ listener }) => express().use(express.urlencoded({ extended: false }), listener)],
  ['Express 4 after a parser', ({ listener }) => express4().use(express4.urlencoded({ extended: true }), listener)],
];

describe.each(mounts)('with the authority in %s', (_, mount) => {
  it('openid-client completes the code flow, refreshes and revokes', async () => {
    const { issuer, privateKey } = await world('/oidc', mount);
    const config = await openid.discovery(new URL(issuer), 'agent-a', undefined, openid.PrivateKeyJwt(privateKey), {
      execute: [openid.allowInsecureRequests],
    });
    const pkceCodeVerifier = openid.randomPKCECodeVerifier();
    const expectedState = openid.randomState();
    const authorization = openid.buildAuthorizationUrl(config, {
      redirect_uri: redirectUri,
      scope: 'repo:read',
      state: expectedState,
      code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
      authorization_details: JSON.stringify([{ type: 'Repo', identifier: 'acme/api' }]),
    });
    const callback = await allow(authorization);
    const tokens = await openid.authorizationCodeGrant(config, callback, { pkceCodeVerifier, expectedState });
    expect(tokens).toMatchObject({ scope: 'repo:read', authorization_details: [{ identifier: 'acme/api' }] });
    expect(await openid.tokenIntrospection(config, tokens.access_token)).toMatchObject({
      active: true,
      sub: 'user:alice',
      act: { sub: 'agent-a' },
    });
    const again = await openid.refreshTokenGrant(config, String(tokens.refresh_token));
    expect(again.scope).toBe('repo:read');
    await openid.tokenRevocation(config, String(tokens.refresh_token));
    expect(await openid.tokenIntrospection(config, again.access_token)).toEqual({ active: false });
    await expect(
      openid.authorizationCodeGrant(config, callback, { pkceCodeVerifier, expectedState }),
    ).rejects.toMatchObject({ error: 'invalid_grant' });
  });
});

it('oauth4webapi completes the code flow, and notices another issuer [O5]', async () => {
  const { issuer, privateKey } = await world();
  const options = { [oauth.allowInsecureRequests]: true } as const;
  const found = await oauth.discoveryRequest(new URL(issuer), { ...options, algorithm: 'oauth2' });
  const server = await oauth.processDiscoveryResponse(new URL(issuer), found);
  const client = { client_id: 'agent-a' };
  const verifier = oauth.generateRandomCodeVerifier();
  const state = oauth.generateRandomState();
  const authorization = new URL(String(server.authorization_endpoint));
  authorization.search = new URLSearchParams({
    client_id: client.client_id,
    redirect_uri: redirectUri,
    response_type: 'code',
    scope: 'repo:read',
    state,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  }).toString();
  const callback = await allow(authorization);
  const parameters = oauth.validateAuthResponse(server, client, callback, state);
  const response = await oauth.authorizationCodeGrantRequest(
    server,
    client,
    oauth.PrivateKeyJwt(privateKey),
    parameters,
    redirectUri,
    verifier,
    options,
  );
  const tokens = await oauth.processAuthorizationCodeResponse(server, client, response);
  expect(tokens.scope).toBe('repo:read');

  // RFC 9207: an answer that names another issuer, or none, is that of a mix-up.
  for (const iss of ['https://evil.example', '']) {
    const mixed = new URL(callback);
    if (iss === '') mixed.searchParams.delete('iss');
    else mixed.searchParams.set('iss', iss);
    expect(() => oauth.validateAuthResponse(server, client, mixed, state)).toThrow(/iss/);
  }
});

it('an agent calls an API with the token that the user allowed, until the user ends it [C7]', async () => {
  const { issuer, audience, key, privateKey, serve } = await world();
  const audit = memoryAudit();
  const guard = await createGuard({
    origin: audience,
    agents: await agentsFromAuthority(issuer, local),
    issuers: [{ issuer, ...local }],
    policy: await cedarFromText({
      policies: 'permit (principal, action, resource) when { context.scope.contains("repo:read") };',
    }),
    audit,
  });
  onTestFinished(() => guard.close());
  const auth = agentAuth(guard);
  serve(async (request, response) => {
    const repo = request.url?.slice(1) ?? '';
    if (!(await auth(request, response))) return;
    if (!(await permit('repo.read', { type: 'Repo', id: repo })(request, response))) return;
    const caller = getCaller(request);
    response.end(`${caller?.actor.id} for ${caller?.subject?.id}`);
  });
  const config = await openid.discovery(new URL(issuer), 'agent-a', undefined, openid.PrivateKeyJwt(privateKey), {
    execute: [openid.allowInsecureRequests],
  });
  const pkceCodeVerifier = openid.randomPKCECodeVerifier();
  const callback = await allow(
    openid.buildAuthorizationUrl(config, {
      redirect_uri: redirectUri,
      scope: 'repo:read',
      code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
      code_challenge_method: 'S256',
      authorization_details: JSON.stringify([{ type: 'Repo', identifier: 'api' }]),
    }),
  );
  const { access_token: token } = await openid.authorizationCodeGrant(config, callback, { pkceCodeVerifier });
  const agent = (await createAgent({ id: 'agent-a', key })).withToken(token);
  const allowed = await agent.fetch(`${audience}/api`);
  expect([allowed.status, await allowed.text()]).toEqual([200, 'agent-a for user:alice']);
  expect((await agent.fetch(`${audience}/web`)).status).toBe(403);
  expect(audit.records.filter(({ phase }) => phase === 'decision').map(({ subject }) => subject?.id)).toEqual([
    'user:alice',
    'user:alice',
  ]);

  const page = await (await fetch(`${issuer}/delegations`)).text();
  const [, ticket = ''] = /name="ticket" value="([^"]+)"/.exec(page) ?? [];
  const form = { method: 'POST', body: new URLSearchParams({ ticket, all: 'yes' }) };
  expect(await (await fetch(`${issuer}/delegations`, form)).text()).toContain('No agent acts for you now.');
  // A guard that starts now has no list of revoked tokens in its cache yet.
  const late = await createGuard({
    origin: audience,
    agents: await agentsFromAuthority(issuer, local),
    issuers: [{ issuer, ...local }],
    policy: await cedarFromText({ policies: 'permit (principal, action, resource);' }),
    audit: memoryAudit(),
  });
  onTestFinished(() => late.close());
  const lateAuth = agentAuth(late);
  serve(async (request, response) => {
    if (await lateAuth(request, response)) response.end();
  });
  const refused = await agent.fetch(`${audience}/api`);
  expect([refused.status, await refused.text()]).toEqual([401, expect.stringContaining('revoked')]);
});

it('a user of an identity provider sees and ends what an agent got for their sign-in there', async () => {
  const audience = await listen((_request, response) => response.end());
  const { issuer, authority, idp } = await startAuthority({
    audience,
    users: { authenticate: developmentUser('acme:alice') },
    exchange: [{ agents: ['agent-a'], issuer: 'https://login.acme.dev' }],
  });
  const { key } = await newAgentKey();
  await authority.agents.add({ id: 'agent-a', jwk: key.publicJwk, capabilities: ['repo:read'] });
  const agent = await createAgent({ id: 'agent-a', key, authority: issuer });
  for (const user of ['alice', 'alice', 'bob']) {
    const forUser = await agent.actFor(await idp.token(user, 'repo:read'), { scope: ['repo:read'] });
    await forUser.fetch(audience);
  }
  const page = await (await fetch(`${issuer}/delegations`)).text();
  expect(page.match(/class="item"/g)).toHaveLength(1);
  expect(page).toContain('Acts for you with 2 tokens');
  const [, ticket = ''] = /name="ticket" value="([^"]+)"/.exec(page) ?? [];
  const form = { method: 'POST', body: new URLSearchParams({ ticket, agent: 'agent-a' }) };
  expect(await (await fetch(`${issuer}/delegations`, form)).text()).toContain('No agent acts for you now.');
  expect(await authority.delegations.listOf('acme:bob')).toHaveLength(1);
});
