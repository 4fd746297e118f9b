import type { RequestListener } from 'node:http';
import type { Authority } from '@countersign/authority';
import express5 from 'express';
import express4 from 'express4';
import { fastify } from 'fastify';
import Koa3 from 'koa';
import Koa2 from 'koa2';
import * as oauth from 'oauth4webapi';
import * as openid from 'openid-client';
import { describe, expect, it } from 'vitest';
import { keyProof, newAgentKey, startAuthority } from './support.js';

const path = '/oidc';
const metadata = '/.well-known/oauth-authorization-server';
const audience = 'https://api.acme.dev';

function overExpress(express: typeof express5, parse: boolean) {
  return ({ listener }: Authority): RequestListener => {
    const app = express();
    if (parse) app.use(express.json(), express.urlencoded());
    app.get('/health', (_request, response) => void response.send('fine'));
    app.use(listener);
    return app;
  };
}

async function overFastify({ listener }: Authority): Promise<RequestListener> {
  const app = fastify();
  app.get('/health', () => 'fine');
  app.register((scope, _options, done) => {
    scope.removeAllContentTypeParsers();
    scope.addContentTypeParser('*', (_request, _payload, parsed) => parsed(null));
    for (const url of [`${path}/*`, `${metadata}${path}`]) {
      scope.all(url, (request, reply) => {
        reply.hijack();
        listener(request.raw, reply.raw);
      });
    }
    done();
  });
  await app.ready();
  return app.routing;
}

function overKoa(Koa: typeof Koa3) {
  return ({ listener }: Authority): RequestListener => {
    const app = new Koa();
    app.use(async (ctx, next) => {
      if (ctx.path === '/health') ctx.body = 'fine';
      else if (ctx.path.startsWith(`${path}/`) || ctx.path === metadata + path) {
        ctx.respond = false;
        listener(ctx.req, ctx.res);
      } else await next();
    });
    const handle = app.callback();
    return (request, response) => void handle(request, response);
  };
}

const mounts: Readonly<Record<string, (authority: Authority) => RequestListener | Promise<RequestListener>>> = {
  'node:http':
    ({ listener }) =>
    (request, response) =>
      request.url === '/health' ? response.end('fine') : listener(request, response),
  express5: overExpress(express5, false),
  'express5 after its parsers': overExpress(express5, true),
  express4: overExpress(express4 as unknown as typeof express5, false),
  fastify5: overFastify,
  koa3: overKoa(Koa3),
  koa2: overKoa(Koa2),
};

describe.each(Object.entries(mounts))('below a path, on %s', (_, mount) => {
  it('openid-client and oauth4webapi find the authority and get tokens', async () => {
    const { issuer, authority } = await startAuthority({ audience, path }, mount);
    const { key, privateKey } = await newAgentKey();
    await authority.agents.add({ id: 'agent-a', jwk: key.publicJwk, capabilities: ['repo:read'] });
    const insecure = { [oauth.allowInsecureRequests]: true };
    const url = new URL(issuer);
    for (const algorithm of ['oauth2', 'oidc'] as const) {
      const response = await oauth.discoveryRequest(url, { algorithm, ...insecure });
      const server = await oauth.processDiscoveryResponse(url, response);
      expect(server).toMatchObject({
        issuer,
        token_endpoint: `${issuer}/token`,
        registration_endpoint: `${issuer}/register`,
      });
      const answer = await oauth.clientCredentialsGrantRequest(
        server,
        { client_id: 'agent-a' },
        oauth.PrivateKeyJwt(privateKey),
        new URLSearchParams({ scope: 'repo:read' }),
        insecure,
      );
      const token = await oauth.processClientCredentialsResponse(server, { client_id: 'agent-a' }, answer);
      expect(token.scope).toBe('repo:read');
    }
    const config = await openid.discovery(url, 'agent-a', undefined, openid.PrivateKeyJwt(privateKey), {
      execute: [openid.allowInsecureRequests],
    });
    const token = await openid.clientCredentialsGrant(config, { scope: 'repo:read' });
    expect(token.expires_in).toBe(300);
    expect(await openid.tokenIntrospection(config, token.access_token)).toMatchObject({ active: true, sub: 'agent-a' });
    await openid.tokenRevocation(config, token.access_token);
    expect(await openid.tokenIntrospection(config, token.access_token)).toEqual({ active: false });
  });

  it('leaves the other routes of the application alone, and trusts no address that a client sends [A13]', async () => {
    const { issuer } = await startAuthority({ audience, path }, mount);
    const origin = issuer.slice(0, -path.length);
    expect(await (await fetch(`${origin}/health`)).text()).toBe('fine');
    expect((await fetch(`${origin}/elsewhere`)).status).toBe(404);
    const headers = {
      'x-forwarded-host': 'evil.example',
      'x-forwarded-proto': 'https',
      forwarded: 'host=evil.example',
    };
    const found = await fetch(`${issuer}/.well-known/openid-configuration`, { headers });
    expect(await found.text()).not.toContain('evil.example');
    expect((await fetch(`${issuer}/admin/agents`)).status).toBe(404);
  });
});

it('openid-client registers an agent with an initial access token', async () => {
  const { issuer, authority } = await startAuthority({ audience });
  const { key, privateKey } = await newAgentKey();
  const invitation = await authority.invitations.create({
    id: 'agent-a',
    owner: 'user:alice',
    capabilities: ['repo:read'],
  });
  const config = await openid.dynamicClientRegistration(
    new URL(issuer),
    {
      jwks: { keys: [{ ...key.publicJwk }] },
      token_endpoint_auth_method: 'private_key_jwt',
      key_proofs: [await keyProof(issuer, 'agent-a', key, privateKey)],
      id_token_signed_response_alg: 'EdDSA',
    },
    openid.PrivateKeyJwt(privateKey),
    { execute: [openid.allowInsecureRequests], initialAccessToken: invitation.initial_access_token },
  );
  expect(config.clientMetadata().client_id).toBe('agent-a');
  expect((await openid.clientCredentialsGrant(config)).scope).toBe('repo:read');
});

it.each(['', path])('openid-client binds a token to the key of its DPoP proofs, below %j', async (below) => {
  const { issuer, authority } = await startAuthority({ audience, path: below });
  const { key, privateKey } = await newAgentKey();
  await authority.agents.add({ id: 'agent-a', jwk: key.publicJwk, capabilities: ['repo:read'] });
  const config = await openid.discovery(new URL(issuer), 'agent-a', undefined, openid.PrivateKeyJwt(privateKey), {
    execute: [openid.allowInsecureRequests],
  });
  const DPoP = openid.getDPoPHandle(config, await openid.randomDPoPKeyPair('Ed25519'));
  const token = await openid.clientCredentialsGrant(config, undefined, { DPoP });
  expect(token.token_type).toBe('dpop');
  expect(await openid.tokenIntrospection(config, token.access_token)).toMatchObject({
    token_type: 'DPoP',
    cnf: { jkt: expect.any(String) as unknown },
  });
});
