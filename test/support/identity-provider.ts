import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Provider } from 'oidc-provider';
import * as openid from 'openid-client';
import { onTestFinished } from 'vitest';

/** How the access tokens of a provider look, in terms of what `oidc-provider` writes. */
export interface TokenShape {
  readonly header?: Readonly<Record<string, unknown>>;
  /** Changes the claims; undefined removes one. */
  readonly claims: (claims: Readonly<Record<string, unknown>>, issuer: string) => Readonly<Record<string, unknown>>;
}

/** A provider of a team at a path of loopback. Nobody is asked for a password or for consent. */
export interface IdentityProvider {
  readonly issuer: string;
  /** Signs a user in by authorization code with PKCE; then the tokens have this shape. */
  signIn(shape: TokenShape, scope?: string): Promise<{ readonly accessToken: string; readonly idToken: string }>;
  /** An access token that the application gets for itself. */
  ownToken(shape: TokenShape): Promise<string>;
}

export interface IdentityProviderOptions {
  /** With a slash at its end, if the provider writes one. */
  readonly path: string;
  readonly audience: string;
  /** The subject of the user. */
  readonly user: string;
  readonly scopes: readonly string[];
}

export const loginClient = '0oa1client2id3';
const redirectUri = 'http://127.0.0.1:4999/callback';

export async function startIdentityProvider(options: IdentityProviderOptions): Promise<IdentityProvider> {
  const { path, audience, user, scopes } = options;
  const server = createServer((request, response) => {
    if (request.url?.startsWith('/interaction/') === true) {
      void provider.interactionFinished(request, response, { login: { accountId: user } });
      return;
    }
    const prefix = path.replace(/\/$/, '');
    const url = request.url ?? '/';
    Object.assign(request, { originalUrl: url, url: url.startsWith(prefix) ? url.slice(prefix.length) : url });
    void provider.callback()(request, response);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`;
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  let shape: TokenShape = { claims: (claims) => claims };
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: loginClient,
        client_secret: randomBytes(24).toString('base64url'),
        redirect_uris: [redirectUri],
        grant_types: ['authorization_code', 'client_credentials'],
        token_endpoint_auth_method: 'client_secret_basic',
      },
    ],
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'idp-1', use: 'sig' }] },
    cookies: { keys: [randomBytes(24).toString('base64url')] },
    scopes: ['openid', 'profile', ...scopes],
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => 'https://id.acme.dev',
        useGrantedResource: () => true,
        getResourceServerInfo: () => ({
          scope: scopes.join(' '),
          audience,
          accessTokenFormat: 'jwt',
          accessTokenTTL: 120,
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
    interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
    formats: {
      customizers: {
        jwt: (_ctx, _token, jwt) => {
          jwt.header = { ...shape.header };
          Object.assign(jwt.payload, shape.claims({ ...jwt.payload }, issuer));
        },
      },
    },
    ttl: { Interaction: 60, Grant: 60, Session: 60, IdToken: 60, AccessToken: 120, ClientCredentials: 120 },
    pkce: { required: () => true },
    findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    async loadExistingGrant({ oidc: { client, session } }) {
      const grant = new provider.Grant({ clientId: client?.clientId ?? '', accountId: session?.accountId ?? '' });
      grant.addOIDCScope(`openid profile ${scopes.join(' ')}`);
      grant.addResourceScope('https://id.acme.dev', scopes.join(' '));
      await grant.save();
      return grant;
    },
  });
  const secret = String((await provider.Client.find(loginClient))?.clientSecret);
  const config = async () =>
    await openid.discovery(new URL(issuer), loginClient, undefined, openid.ClientSecretBasic(secret), {
      execute: [openid.allowInsecureRequests],
    });

  return {
    issuer,
    async signIn(wanted, scope = `openid profile ${scopes.join(' ')}`) {
      shape = wanted;
      const client = await config();
      const pkceCodeVerifier = openid.randomPKCECodeVerifier();
      const start = openid.buildAuthorizationUrl(client, {
        redirect_uri: redirectUri,
        scope,
        code_challenge: await openid.calculatePKCECodeChallenge(pkceCodeVerifier),
        code_challenge_method: 'S256',
      });
      const callback = await browse(start);
      const tokens = await openid.authorizationCodeGrant(client, callback, { pkceCodeVerifier });
      return { accessToken: tokens.access_token, idToken: String(tokens.id_token) };
    },
    async ownToken(wanted) {
      shape = wanted;
      const client = await config();
      return (await openid.clientCredentialsGrant(client, { scope: scopes.join(' ') })).access_token;
    },
  };
}

/** Follows redirects with cookies, as a browser does, until they lead back to the application. */
async function browse(start: URL): Promise<URL> {
  const cookies = new Map<string, string>();
  let url = start;
  for (let hop = 0; hop < 10 && !url.href.startsWith(redirectUri); hop += 1) {
    const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(url, { redirect: 'manual', headers: { cookie } });
    for (const set of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(set) ?? [];
      cookies.set(name, value);
    }
    url = new URL(response.headers.get('location') ?? '', url);
  }
  return url;
}
