import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Provider } from 'oidc-provider';

/** A team's OpenID provider: users sign in with their name alone. */
export interface TestOpenIdProvider {
  readonly issuer: string;
  readonly clientId: string;
  readonly clientSecret: string;
  /** Changes the JSON that it answers, by path. */
  readonly altered: Map<string, (body: Record<string, unknown>) => object>;
  close(): Promise<void>;
}

export interface TestOpenIdProviderOptions {
  readonly redirectUris: readonly string[];
  /** Default `client_secret_basic`. */
  readonly authMethod?: 'client_secret_basic' | 'client_secret_post';
  /** Names are at the UserInfo endpoint only. */
  readonly thinIdTokens?: boolean;
  readonly port?: number;
}

export async function startOpenIdProvider(options: TestOpenIdProviderOptions): Promise<TestOpenIdProvider> {
  const { redirectUris, authMethod = 'client_secret_basic', thinIdTokens = false, port = 0 } = options;
  const altered: TestOpenIdProvider['altered'] = new Map();
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const alter = altered.get(pathname);
    if (alter !== undefined) changeAnswer(response, alter);
    if (pathname.startsWith('/interaction/')) void interact(provider, request, response);
    else void provider.callback()(request, response);
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  const issuer = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const [clientId, clientSecret] = ['authority', randomBytes(24).toString('base64url')];
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const provider = new Provider(issuer, {
    clients: [
      {
        client_id: clientId,
        client_secret: clientSecret,
        redirect_uris: [...redirectUris],
        token_endpoint_auth_method: authMethod,
        id_token_signed_response_alg: 'ES256',
      },
    ],
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'op-1', use: 'sig' }] },
    cookies: { keys: [randomBytes(24).toString('base64url')] },
    claims: { openid: ['sub', 'hd', 'groups', 'oid'], email: ['email'], profile: ['name'] },
    conformIdTokenClaims: thinIdTokens,
    features: { devInteractions: { enabled: false } },
    interactions: { url: (_ctx, { uid }) => `/interaction/${uid}` },
    ttl: { Interaction: 600, Grant: 600, Session: 600, AccessToken: 60, IdToken: 60 },
    pkce: { required: () => true },
    findAccount: (_ctx, id) => ({ accountId: id, claims: () => ({ sub: id, ...claimsOf(id) }) }),
    // Nobody is asked what the authority may know.
    async loadExistingGrant({
      oidc: {
        client,
        session,
        provider: { Grant },
      },
    }) {
      const grant = new Grant({ clientId: client?.clientId ?? '', accountId: session?.accountId ?? '' });
      grant.addOIDCScope('openid email profile');
      await grant.save();
      return grant;
    },
  });
  return {
    issuer,
    clientId,
    clientSecret,
    altered,
    async close() {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

/** What the provider says of a user besides `sub`. */
function claimsOf(user: string): object {
  return { email: `${user}@acme.dev`, hd: 'acme.dev', groups: ['staff'], oid: `oid-${user}` };
}

function changeAnswer(response: ServerResponse, alter: (body: Record<string, unknown>) => object): void {
  const end = response.end.bind(response) as (text: string) => ServerResponse;
  response.end = ((text: string) => {
    const changed = JSON.stringify(alter(JSON.parse(text) as Record<string, unknown>));
    response.setHeader('content-length', Buffer.byteLength(changed));
    return end(changed);
  }) as typeof response.end;
}

/** The page on which a user says who they are. */
async function interact(provider: Provider, request: IncomingMessage, response: ServerResponse): Promise<void> {
  if (request.method === 'GET') {
    response.setHeader('content-type', 'text/html; charset=utf-8');
    response.end(
      `<!doctype html><html lang="en"><title>Sign in at Acme</title><h1>Sign in at Acme</h1>
<form method="post" action="${request.url ?? ''}"><label>Name <input name="login"></label>
<button name="do" value="sign-in">Sign in</button><button name="do" value="cancel">Cancel</button></form>`,
    );
    return;
  }
  let body = '';
  for await (const chunk of request) body += String(chunk);
  const form = new URLSearchParams(body);
  await provider.interactionFinished(
    request,
    response,
    form.get('do') === 'cancel' ? { error: 'access_denied' } : { login: { accountId: form.get('login') ?? '' } },
  );
}
