import * as oauth from 'oauth4webapi';
import * as openid from 'openid-client';
import { afterAll, expect, it } from 'vitest';
import type { HostConfig } from '../hosts/config.js';
import { type Api, onEveryHost } from '../support/api.js';
import { type DpopIssuer, exchangeGrant, exchangingUser, startDpopIssuer } from '../support/dpop-issuer.js';
import { schema } from '../support/world.js';

const clientId = 'agent-oauth';
const scope = 'pr:write:draft';
const issuing: DpopIssuer = await startDpopIssuer();
const server = { issuer: issuing.issuer.issuer, token_endpoint: issuing.tokenEndpoint };
afterAll(() => issuing.close());

const config: Partial<HostConfig> = {
  issuers: [{ issuer: issuing.issuer.issuer, jwks: { keys: [issuing.issuer.jwk] } }],
  agents: [],
  schema,
  policies: `permit(principal == Agent::"${clientId}", action == Action::"pr.create", resource == Repo::"acme/api")
when { context.possession == "dpop" && context.scope.contains("${scope}") };`,
};

/** Opens a pull request with a client of somebody else's; the answer of the API. */
type Client = (api: Api, grant: 'itself' | 'user', algorithm: string) => Promise<Response>;

const body = '{"title":"x"}';
const headers = new Headers({ 'content-type': 'application/json' });
const pulls = (api: Api) => new URL(`${api.url}/repos/acme/api/pulls?draft=true`);
const parameters = (api: Api) => new URLSearchParams({ client_id: clientId, scope, resource: api.audience });

const withOauth4webapi: Client = async (api, grant, algorithm) => {
  const client: oauth.Client = { client_id: clientId };
  const insecure = { [oauth.allowInsecureRequests]: true };
  const DPoP = oauth.DPoP(client, await oauth.generateKeyPair(algorithm));
  const type = grant === 'user' ? exchangeGrant : 'client_credentials';
  const options = { DPoP, ...insecure };
  const answer = await oauth.genericTokenEndpointRequest(server, client, oauth.None(), type, parameters(api), options);
  const { access_token: token } = await oauth.processGenericTokenEndpointResponse(server, client, answer);
  const send = () => oauth.protectedResourceRequest(token, 'POST', pulls(api), headers, body, { DPoP, ...insecure });
  return await send().catch((error: unknown) => {
    // It has kept the nonce of the answer, and uses it now.
    if (oauth.isDPoPNonceError(error)) return send();
    throw error;
  });
};

const withOpenidClient: Client = async (api, grant, algorithm) => {
  const configuration = new openid.Configuration(server, clientId, undefined, openid.None());
  openid.allowInsecureRequests(configuration);
  const DPoP = openid.getDPoPHandle(configuration, await openid.randomDPoPKeyPair(algorithm));
  const type = grant === 'user' ? exchangeGrant : 'client_credentials';
  const tokens = await openid.genericGrantRequest(configuration, type, parameters(api), { DPoP });
  return await openid.fetchProtectedResource(configuration, tokens.access_token, pulls(api), 'POST', body, headers, {
    DPoP,
  });
};

const clients: Readonly<Record<string, Client>> = { oauth4webapi: withOauth4webapi, 'openid-client': withOpenidClient };

async function opened(api: Api, client: Client, grant: 'itself' | 'user', algorithm: string): Promise<unknown> {
  let json: unknown;
  await api.recordedOutcomes(1, async () => {
    const response = await client(api, grant, algorithm);
    json = await response.json();
    expect({ status: response.status, json }).toMatchObject({ status: 201 });
  });
  return json;
}

onEveryHost(
  'DPoP clients of others',
  (api) => {
    for (const [name, client] of Object.entries(clients)) {
      it(`${name} acts for a user, with ES256 [B9]`, async () => {
        expect(await opened(api, client, 'user', 'ES256')).toMatchObject({
          actor: { id: clientId },
          subject: { id: exchangingUser, type: 'user' },
          body: { title: 'x' },
        });
      });

      it(`${name} acts for itself, with Ed25519 [B9]`, async () => {
        expect(await opened(api, client, 'itself', 'Ed25519')).toMatchObject({
          actor: { id: clientId },
          subject: { id: clientId, type: 'agent' },
        });
      });
    }
  },
  { config: { ...config, dpop: true } },
);

onEveryHost(
  'DPoP clients of others, with nonces of the server',
  (api) => {
    for (const [name, client] of Object.entries(clients)) {
      it(`${name} is asked for a nonce, and repeats its request with it [B9]`, async () => {
        const before = api.records.length;
        await opened(api, client, 'user', 'ES256');
        expect(api.records.slice(before).map(({ phase, code }) => code ?? phase)).toEqual([
          'dpop_nonce_required',
          'decision',
          'outcome',
        ]);
      });
    }
  },
  { config: { ...config, dpop: { nonce: 'required' } } },
);
