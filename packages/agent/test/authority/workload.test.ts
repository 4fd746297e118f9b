import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished, vi } from 'vitest';
import { patiently } from '../../../../test/support/patiently.js';
import { trustDomain } from '../../../../test/support/trust-domain.js';
import { fakeSpireAgent, fakeWorkloadApi, field } from '../../../../test/support/workload-api.js';
import { AgentError, type AgentOptions, ConfigError, createAgent, generateAgentKey } from '../../src/index.js';
import { payloadOf } from '../../src/jwt-payload.js';

const domain = trustDomain();

/** An authority and an API in one server, which keeps what it was sent. */
async function server({ lifetime = 300 } = {}) {
  const forms: { form: URLSearchParams; dpop: string }[] = [];
  const http = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      if (request.url === '/token') {
        const form = new URLSearchParams(Buffer.concat(chunks).toString());
        forms.push({ form, dpop: String(request.headers['dpop']) });
        const skewed = Math.abs(Number(payloadOf(forms.at(-1)?.dpop ?? '')?.['iat']) - Date.now() / 1000) > 30;
        response.statusCode = skewed ? 400 : 200;
        response.end(
          JSON.stringify(
            skewed
              ? { error: 'invalid_dpop_proof' }
              : { access_token: `token-${forms.length}`, token_type: 'DPoP', expires_in: lifetime },
          ),
        );
      } else if (request.url === '/api') {
        response.end(String(request.headers.authorization));
      } else {
        response.end(JSON.stringify({ issuer: url, token_endpoint: `${url}/token` }));
      }
    });
  });
  http.listen(0, '127.0.0.1');
  await once(http, 'listening');
  onTestFinished(() => {
    http.close().closeAllConnections();
  });
  const url = `http://127.0.0.1:${(http.address() as AddressInfo).port}`;
  return { url, forms };
}

async function spire() {
  const api = await fakeSpireAgent(domain, '/agent/a');
  onTestFinished(() => api.close());
  return api;
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.catch((reason: unknown) => reason);
  if (error instanceof AgentError) return error.code;
  throw new Error('no AgentError', { cause: error });
}

describe('an agent with a SPIFFE identity', () => {
  it('has the SPIFFE ID as its id, and sends a token that it got for a key of its own', async () => {
    const [{ url, forms }, { socket }] = await Promise.all([server(), spire()]);
    const agent = await createAgent({ spiffe: { socket: `unix://${socket}` }, authority: url });
    expect(agent.id).toBe('spiffe://example.org/agent/a');
    expect(await (await agent.fetch(`${url}/api`)).text()).toBe('Bearer token-1');
    expect(await (await agent.fetch(`${url}/api`)).text()).toBe('Bearer token-1');
    const [{ form, dpop } = { form: new URLSearchParams(), dpop: '' }] = forms;
    expect(Object.fromEntries(form)).toMatchObject({
      grant_type: 'client_credentials',
      client_id: agent.id,
      client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-spiffe',
    });
    expect(payloadOf(String(form.get('client_assertion')))).toMatchObject({
      sub: agent.id,
      aud: [`${url}#jkt=${agent.keyId}`],
    });
    expect(payloadOf(dpop)).toMatchObject({ htm: 'POST', htu: `${url}/token` });
    await (await agent.actFor('user-token')).fetch(`${url}/api`);
    expect(forms.at(-1)?.form.get('subject_token')).toBe('user-token');
  });

  it('proves its key again, once, when its clock is wrong', async () => {
    const [{ url, forms }, { socket }] = await Promise.all([server(), spire()]);
    const agent = await createAgent({ spiffe: { socket }, authority: url, clock: () => Date.now() - 200_000 });
    await agent.fetch(`${url}/api`);
    expect(forms).toHaveLength(2);
  });

  it('uses its token while the Workload API is down, and gets a new one when it is back', async () => {
    const [{ url, forms }, api] = await Promise.all([server(), spire()]);
    let later = 0;
    const clock = () => Date.now() + later;
    const agent = await createAgent({ spiffe: { socket: api.socket }, authority: url, clock });
    await agent.fetch(`${url}/api`);
    await api.kill();
    later = 240_000;
    expect(await (await agent.fetch(`${url}/api`)).text()).toBe('Bearer token-1');
    later = 301_000;
    expect(await codeOf(agent.fetch(`${url}/api`))).toBe('identity_unavailable');
    await api.restart();
    later = 0;
    await vi.waitFor(() => agent.fetch(`${url}/api`), patiently);
    later = 25_000;
    expect(forms.length).toBeGreaterThanOrEqual(1);
  });

  it('asks the Workload API once for its id and its first token, and the authority for its metadata meanwhile', async () => {
    const [{ url }, api] = await Promise.all([server(), spire()]);
    const asked: string[] = [];
    const counting: typeof fetch = async (input, init) => {
      asked.push(new Request(input).url.replace(url, ''));
      return await fetch(input, init);
    };
    const agent = await createAgent({ spiffe: { socket: api.socket }, authority: url, fetch: counting });
    expect(asked).toEqual(['/.well-known/oauth-authorization-server']);
    await agent.fetch(`${url}/api`);
    expect(api.calls).toEqual(['FetchJWTSVID']);
    expect(asked).toEqual(['/.well-known/oauth-authorization-server', '/token', '/api']);
    await agent.actFor('user-token');
    expect(api.calls).toHaveLength(2);
  });

  it('asks for the metadata again if the authority was down when it was created', async () => {
    const [{ url }, { socket }] = await Promise.all([server(), spire()]);
    let isDown = true;
    const fetching: typeof fetch = async (input, init) => {
      if (isDown) throw new TypeError('fetch failed');
      return await fetch(input, init);
    };
    const agent = await createAgent({ spiffe: { socket }, authority: url, fetch: fetching });
    isDown = false;
    expect((await agent.fetch(`${url}/api`)).status).toBe(200);
  });

  it('cannot accept what another agent handed on offline', async () => {
    const [{ url }, { socket }] = await Promise.all([server(), spire()]);
    const agent = await createAgent({ spiffe: { socket }, authority: url });
    const registered = await createAgent({ id: 'agent-b', key: generateAgentKey() });
    const bundle = await registered.delegate(agent.id, { scope: 'repo:read', audience: 'https://api.acme.dev' });
    expect(() => agent.accept(bundle)).toThrow('actFor');
  });

  it('is not created while the Workload API is down, or does not know the workload', async () => {
    const api = await fakeWorkloadApi((call) => call.fail(7, 'no identity issued'));
    onTestFinished(() => api.close());
    const authority = 'https://id.acme.dev';
    expect(await codeOf(createAgent({ spiffe: { socket: api.socket }, authority }))).toBe('identity_unavailable');
    expect(await codeOf(createAgent({ spiffe: { socket: '/nowhere/agent.sock' }, authority }))).toBe(
      'identity_unavailable',
    );
  });

  it('gets no token once the Workload API gives it another identity', async () => {
    const { url } = await server();
    let path = '/agent/a';
    let later = 0;
    const api = await fakeWorkloadApi((call) => {
      const token = domain.jwtSvid(path, url);
      call.send(field(1, Buffer.concat([field(1, domain.id(path)), field(2, token)])));
      call.end();
    });
    onTestFinished(() => api.close());
    const clock = () => Date.now() + later;
    const agent = await createAgent({ spiffe: { socket: api.socket }, authority: url, clock });
    await agent.fetch(`${url}/api`);
    [path, later] = ['/agent/b', 301_000];
    expect(await codeOf(agent.fetch(`${url}/api`))).toBe('identity_unavailable');
  });

  it('is not created with another identity than the one that it asked for', async () => {
    const [{ url }, { socket }] = await Promise.all([server(), spire()]);
    const asked = { socket, id: 'spiffe://example.org/agent/b' };
    expect(await codeOf(createAgent({ spiffe: asked, authority: url }))).toBe('identity_unavailable');
    expect((await createAgent({ spiffe: { socket, id: 'spiffe://example.org/agent/a' }, authority: url })).id).toBe(
      'spiffe://example.org/agent/a',
    );
  });

  it.each([
    [{ spiffe: { socket: '/run/agent.sock' } }, "name the 'authority'"],
    [{ spiffe: { socket: '/run/agent.sock' }, authority: 'https://id.acme.dev', id: 'agent-a' }, "leave out 'id'"],
    [{ spiffe: { socket: 'agent.sock' }, authority: 'https://id.acme.dev' }, "'socket' must be"],
    [{ spiffe: { socket: undefined }, authority: 'https://id.acme.dev' }, "'socket' must be"],
    [{ spiffe: { path: '/run/agent.sock' }, authority: 'https://id.acme.dev' }, 'unknown option'],
    [{ spiffe: { socket: '/run/agent.sock', id: 'agent-a' }, authority: 'https://id.acme.dev' }, 'must be a SPIFFE ID'],
  ])('is not created from %j', async (options, problem) => {
    const creation = createAgent(options as unknown as AgentOptions);
    await expect(creation).rejects.toThrow(problem);
    await expect(creation).rejects.toBeInstanceOf(ConfigError);
  });
});
