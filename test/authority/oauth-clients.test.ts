import { developmentUser } from '@countersign/authority';
import * as oauth from 'oauth4webapi';
import * as openid from 'openid-client';
import { expect, it } from 'vitest';
import { keyProof, newAgentKey, startAuthority } from './support.js';

const audience = 'https://api.acme.dev';
const redirectUri = 'http://127.0.0.1:4999/callback';
const insecure = { [oauth.allowInsecureRequests]: true } as const;
const tokenExchange = 'urn:ietf:params:oauth:grant-type:token-exchange';
const accessToken = 'urn:ietf:params:oauth:token-type:access_token';

async function world() {
  const started = await startAuthority({
    audience,
    users: { authenticate: developmentUser('user:alice', 'Alice') },
    exchange: [
      { agents: ['agent-a'], issuer: 'https://login.acme.dev' },
      { agents: ['agent-b'], from: ['agent-a'] },
    ],
  });
  const { key, privateKey } = await newAgentKey();
  const facts = { capabilities: ['repo:read', 'pr:write'], redirectUris: [redirectUri] };
  await started.authority.agents.add({ id: 'agent-a', jwk: key.publicJwk, ...facts });
  const url = new URL(started.issuer);
  const server = await oauth.processDiscoveryResponse(
    url,
    await oauth.discoveryRequest(url, { algorithm: 'oauth2', ...insecure }),
  );
  return {
    ...started,
    key,
    privateKey,
    server,
    client: { client_id: 'agent-a' },
    auth: oauth.PrivateKeyJwt(privateKey),
  };
}

/** The user opens the page and allows what it shows. */
async function allow(authorization: URL): Promise<URL> {
  const text = await (await fetch(authorization, { redirect: 'manual' })).text();
  const valuesOf = (name: string) =>
    [...text.matchAll(new RegExp(`name="${name}" value="([^"]+)"`, 'g'))].map(([, value]) => [name, String(value)]);
  const fields = [...valuesOf('ticket'), ...valuesOf('scope'), ['seconds', '300'], ['uses', ''], ['decision', 'allow']];
  const [, action = ''] = /action="([^"]+)"/.exec(text) ?? [];
  const answered = await fetch(action, {
    method: 'POST',
    body: new URLSearchParams(fields as [string, string][]),
    redirect: 'manual',
  });
  return new URL(String(answered.headers.get('location')));
}

it('oauth4webapi gets, refreshes, introspects and revokes what a user allowed', async () => {
  const { server, client, auth } = await world();
  const verifier = oauth.generateRandomCodeVerifier();
  const authorization = new URL(String(server.authorization_endpoint));
  authorization.search = new URLSearchParams({
    client_id: 'agent-a',
    redirect_uri: redirectUri,
    response_type: 'code',
    scope: 'repo:read',
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  }).toString();
  const callback = oauth.validateAuthResponse(server, client, await allow(authorization));
  const granted = await oauth.processAuthorizationCodeResponse(
    server,
    client,
    await oauth.authorizationCodeGrantRequest(server, client, auth, callback, redirectUri, verifier, insecure),
  );
  const refreshed = await oauth.processRefreshTokenResponse(
    server,
    client,
    await oauth.refreshTokenGrantRequest(server, client, auth, String(granted.refresh_token), insecure),
  );
  const introspect = async (token: string) =>
    await oauth.processIntrospectionResponse(
      server,
      client,
      await oauth.introspectionRequest(server, client, auth, token, insecure),
    );
  expect(await introspect(refreshed.access_token)).toMatchObject({ active: true, sub: 'user:alice' });
  const revoke = async (token: string) =>
    await oauth.processRevocationResponse(await oauth.revocationRequest(server, client, auth, token, insecure));
  await revoke(refreshed.access_token);
  expect(await introspect(refreshed.access_token)).toEqual({ active: false });
  expect(await introspect(granted.access_token)).toMatchObject({ active: true });
  await revoke(String(granted.refresh_token));
  expect(await introspect(granted.access_token)).toEqual({ active: false });
});

it('oauth4webapi registers an agent, which then gets tokens', async () => {
  const { server, authority } = await world();
  const { key, privateKey } = await newAgentKey();
  const invitation = await authority.invitations.create({ id: 'agent-new', capabilities: ['repo:read'] });
  const client = await oauth.processDynamicClientRegistrationResponse(
    await oauth.dynamicClientRegistrationRequest(
      server,
      {
        jwks: { keys: [{ ...key.publicJwk }] },
        token_endpoint_auth_method: 'private_key_jwt',
        key_proofs: [await keyProof(server.issuer, 'agent-new', key, privateKey)],
      },
      { initialAccessToken: invitation.initial_access_token, ...insecure },
    ),
  );
  expect(client).toMatchObject({ client_id: 'agent-new', scope: 'repo:read' });
  const auth = oauth.PrivateKeyJwt(privateKey);
  const answer = await oauth.clientCredentialsGrantRequest(server, client, auth, {}, insecure);
  const token = await oauth.processClientCredentialsResponse(server, client, answer);
  expect(token.scope).toBe('repo:read');
});

it('oauth4webapi verifies a token with DPoP as an API of its own, and refuses it without a proof', async () => {
  const { server, client, auth, key, privateKey } = await world();
  const publicKey = await crypto.subtle.importKey('jwk', { ...key.publicJwk }, 'Ed25519', true, ['verify']);
  const DPoP = oauth.DPoP({}, { privateKey, publicKey });
  const answer = await oauth.clientCredentialsGrantRequest(server, client, auth, {}, { DPoP, ...insecure });
  const { access_token: token, token_type: type } = await oauth.processClientCredentialsResponse(
    server,
    client,
    answer,
  );
  expect(type).toBe('dpop');
  let sent: Request | undefined;
  await oauth.protectedResourceRequest(token, 'GET', new URL(`${audience}/repo`), undefined, undefined, {
    DPoP,
    [oauth.customFetch]: async (url, { headers }) => {
      sent = new Request(url, { headers });
      return new Response();
    },
  });
  if (sent === undefined) throw new Error('nothing was sent');
  expect(await oauth.validateJwtAccessToken(server, sent, audience, insecure)).toMatchObject({
    sub: 'agent-a',
    client_id: 'agent-a',
    cnf: { jkt: key.keyId },
  });
  const bearer = new Request(`${audience}/repo`, { headers: { authorization: `Bearer ${token}` } });
  await expect(oauth.validateJwtAccessToken(server, bearer, audience, insecure)).rejects.toThrow(/DPoP/);
  await expect(oauth.validateJwtAccessToken(server, sent, 'https://other.acme.dev', insecure)).rejects.toThrow();
});

it('openid-client exchanges the token of a user, and that of an agent', async () => {
  const { issuer, authority, idp, privateKey } = await world();
  const other = await newAgentKey();
  await authority.agents.add({ id: 'agent-b', jwk: other.key.publicJwk, capabilities: ['repo:read'] });
  const exchange = async (id: string, key: typeof privateKey, token: string) => {
    const config = await openid.discovery(new URL(issuer), id, undefined, openid.PrivateKeyJwt(key), {
      execute: [openid.allowInsecureRequests],
    });
    const parameters = { subject_token: token, subject_token_type: accessToken, scope: 'repo:read' };
    const made = await openid.genericGrantRequest(config, tokenExchange, parameters);
    expect(made).toMatchObject({ issued_token_type: accessToken, scope: 'repo:read' });
    return { token: made.access_token, shown: await openid.tokenIntrospection(config, made.access_token) };
  };
  const first = await exchange('agent-a', privateKey, await idp.token('alice', 'repo:read'));
  const second = await exchange('agent-b', other.privateKey, first.token);
  expect(second.shown).toMatchObject({
    active: true,
    sub: 'acme:alice',
    act: { sub: 'agent-b', act: { sub: 'agent-a' } },
  });
});
