import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { AgentError, type AgentErrorCode, ConfigError, createAgent, generateAgentKey } from '../../src/index.js';
import { payloadOf } from '../../src/jwt-payload.js';

interface Request {
  readonly path: string;
  readonly form: URLSearchParams;
}

interface Reply {
  readonly status?: number;
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A server that answers as the test says. */
async function server(answer: (request: Request, issuer: string) => Reply) {
  const requests: Request[] = [];
  const http = createServer((request, response) => void handle(request, response));
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  onTestFinished(() => {
    http.close().closeAllConnections();
  });
  const issuer = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;

  async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const seen = { path: request.url ?? '', form: new URLSearchParams(Buffer.concat(chunks).toString()) };
    requests.push(seen);
    const { status = 200, body, headers = {} } = answer(seen, issuer);
    response.writeHead(status, { 'content-type': 'application/json', ...headers });
    response.end(typeof body === 'string' ? body : JSON.stringify(body ?? {}));
  }

  const key = generateAgentKey();
  const agent = async (clock = Date.now) => await createAgent({ id: 'agent-a', key, authority: issuer, clock });
  return { issuer, requests, agent };
}

const metadata = (issuer: string) => ({ issuer, token_endpoint: `${issuer}/token` });
const token = { access_token: 'a.b.c', token_type: 'Bearer', expires_in: 300, scope: 'repo:read' };

/** A Date so many seconds ahead of the clock of this machine. */
const httpDate = (seconds: number) => new Date(Date.now() + seconds * 1000).toUTCString();

async function codeOf(promise: Promise<unknown>): Promise<readonly [AgentErrorCode, string]> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof AgentError)) throw new Error('no AgentError', { cause: error });
  return [error.code, error.message];
}

describe('the token endpoint', () => {
  it('gets the user token in exchange, with an assertion that is for the authority only', async () => {
    const { issuer, requests, agent } = await server(({ path }, name) => ({
      body: path === '/token' ? token : metadata(name),
    }));
    const users = ['user-1', 'user-2'];
    await (await agent()).actFor(() => users.shift() ?? '', {
      scope: ['repo:read', 'pr:write'],
      audience: 'https://api.acme.dev',
    });
    const form = Object.fromEntries(requests.at(-1)?.form ?? []);
    expect(form).toMatchObject({
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: 'user-1',
      scope: 'repo:read pr:write',
      resource: 'https://api.acme.dev',
    });
    expect(payloadOf(String(form['client_assertion']))).toMatchObject({ iss: 'agent-a', sub: 'agent-a', aud: issuer });
    expect(requests.map(({ path }) => path)).toEqual(['/.well-known/oauth-authorization-server', '/token']);
  });

  it('falls back to the metadata of OpenID Connect', async () => {
    const { requests, agent } = await server(({ path }, name) => {
      if (path === '/token') return { body: token };
      return path.endsWith('/openid-configuration') ? { body: metadata(name) } : { status: 404 };
    });
    await (await agent()).withOwnToken();
    expect(requests.at(-1)?.form.get('grant_type')).toBe('client_credentials');
  });

  it('signs again, once, when its clock is wrong', async () => {
    const { requests, agent } = await server(({ path, form }, name) => {
      if (path !== '/token') return { body: metadata(name) };
      const { iat } = payloadOf(String(form.get('client_assertion'))) ?? {};
      return Math.abs(Number(iat) - Date.now() / 1000) < 5
        ? { body: token }
        : { status: 401, body: { error: 'invalid_client' } };
    });
    await (await agent(() => Date.now() - 200_000)).withOwnToken();
    expect(requests).toHaveLength(3);
  });

  it('signs no assertion for a time that is far ahead of its clock [A19]', async () => {
    const { requests, agent } = await server(({ path }, name) =>
      path === '/token'
        ? { status: 401, headers: { date: httpDate(2_592_000) }, body: { error: 'invalid_client' } }
        : { body: metadata(name) },
    );
    await expect((await agent()).withOwnToken()).rejects.toMatchObject({ code: 'token_refused' });
    expect(requests).toHaveLength(2);
  });

  it('forgets a time by which it was refused again [A19]', async () => {
    const { requests, agent } = await server(({ path }, name) =>
      path === '/token'
        ? { status: 401, headers: { date: httpDate(200) }, body: { error: 'invalid_client' } }
        : { body: metadata(name) },
    );
    const late = await agent();
    for (let call = 0; call < 2; call++) await late.withOwnToken().catch(() => undefined);
    const isAhead = requests.slice(1).map(({ form }) => {
      const { iat } = payloadOf(String(form.get('client_assertion'))) ?? {};
      return Number(iat) > Date.now() / 1000 + 100;
    });
    expect(isAhead).toEqual([false, true, false, true]);
  });

  it.each([
    [{ status: 401, body: { error: 'invalid_client' } }, 'token_refused'],
    [{ status: 400, body: { error: 'invalid_scope', error_description: 'no\u202e\nway' } }, 'token_refused'],
    [{ status: 503, body: { error: 'temporarily_unavailable' } }, 'authority_unavailable'],
    [{ status: 429, body: { error: 'slow_down' } }, 'authority_unavailable'],
    [{ status: 500, body: 'oops' }, 'authority_unavailable'],
    [{ status: 200, body: {} }, 'authority_unavailable'],
    [{ status: 200, body: { ...token, expires_in: '300' } }, 'authority_unavailable'],
    [{ status: 200, body: `{"access_token":"${'x'.repeat(70_000)}","expires_in":300}` }, 'authority_unavailable'],
    [{ status: 302, headers: { location: '/elsewhere' } }, 'authority_unavailable'],
  ] as const)('turns %j into %s', async (reply, code) => {
    const { requests, agent } = await server(({ path }, name) =>
      path === '/token' ? reply : { body: metadata(name) },
    );
    const [found, message] = await codeOf((await agent()).withOwnToken());
    expect(found).toBe(code);
    expect(message).toMatch(/^[\x20-\x7e]+$/);
    expect(requests.filter(({ path }) => path === '/token')).toHaveLength(1);
  });

  it.each([
    ['of another issuer', () => ({ issuer: 'https://evil.example', token_endpoint: 'https://evil.example/token' })],
    ['with a plain http endpoint', (issuer: string) => ({ issuer, token_endpoint: 'http://evil.example/token' })],
    ['without endpoint', (issuer: string) => ({ issuer })],
  ])('sends nothing after metadata %s [A14, B4]', async (_, change) => {
    const { requests, agent } = await server((_request, issuer) => ({ body: change(issuer) }));
    expect((await codeOf((await agent()).withOwnToken()))[0]).toBe('authority_unavailable');
    expect(requests.every(({ form }) => form.size === 0)).toBe(true);
  });
});

describe('the options of an agent with an authority', () => {
  const key = generateAgentKey();

  it.each(['http://id.acme.dev', 'id.acme.dev', 'https://id.acme.dev?x', 'https://user:pw@id.acme.dev'])(
    'refuse the authority %s',
    async (authority) => {
      await expect(createAgent({ id: 'a', key, authority })).rejects.toThrow(ConfigError);
    },
  );

  it('refuse to act for a user without an authority, without a token, or with a misspelt option', async () => {
    await expect((await createAgent({ id: 'a', key })).actFor('token')).rejects.toThrow(/authority/);
    const agent = await createAgent({ id: 'a', key, authority: 'https://id.acme.dev' });
    await expect(agent.actFor('')).rejects.toThrow(ConfigError);
    await expect(agent.actFor(Promise.resolve('token') as never)).rejects.toThrow(/await/);
    await expect(agent.actFor('token', { scopes: [] } as never)).rejects.toThrow(/Did you mean 'scope'/);
    await expect(agent.actFor('token', { scope: [] })).rejects.toThrow(/scope/);
    await expect(agent.actFor('token', { audience: 'api' })).rejects.toThrow(/audience/);
  });
});
