import { request as httpRequest } from 'node:http';
import { setImmediate } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Agent, AgentError, createAgent, generateAgentKey, type SignedRequest } from '../src/index.js';
import { digestMatches, field, type RecordingServer, recordingServer, verify } from './recording-server.js';

const key = generateAgentKey();
let server: RecordingServer;
let agent: Agent;

beforeAll(async () => {
  server = await recordingServer((req, res) => {
    if (req.url?.startsWith('/moved') === true) res.writeHead(307, { location: '/elsewhere' });
    if (req.url === '/open') return void res.writeHead(200).write('first');
    if (req.url === '/hostile') res.writeHead(302, { location: `/\u009b31m${'x'.repeat(5000)}` });
    res.end('ok');
  });
  agent = await createAgent({ id: 'agent-a', key });
});
afterAll(() => server.close());

const token = 'eyJhbGciOiJFZERTQSJ9.eyJzdWIiOiJ1c2VyXzEyMyJ9.c2ln';

async function codeOf(call: Promise<unknown>): Promise<string> {
  const error = await call.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  if (!(error instanceof AgentError)) throw new Error(`expected an AgentError, got ${String(error)}`);
  return error.code;
}

function target(path: string): string {
  return `${server.url}${path}`;
}

function stream(): ReadableStream {
  return new Blob(['first ', 'second']).stream();
}

function covered(): string {
  return /^sig=\(([^)]*)\)/.exec(field(server.last(), 'signature-input') ?? '')?.[1] ?? '';
}

describe('fetch', () => {
  it('signs a request without a body', async () => {
    const response = await agent.fetch(`${server.url}/repos/acme/api?state=open`);
    expect(await response.text()).toBe('ok');
    expect(await verify(server.last(), key)).toMatchObject({ ok: true });
    expect(covered()).toBe('"@method" "@authority" "@path" "@query"');
    expect(field(server.last(), 'content-digest')).toBeUndefined();
  });

  it('states created, expires, nonce, keyid and tag', async () => {
    const slow = await createAgent({ id: 'a', key, clock: () => 1_700_000_000_999, lifetimeSeconds: 30 });
    await slow.fetch(server.url);
    const parameters = (field(server.last(), 'signature-input') ?? '').replace(/^[^)]*\)/, '');
    expect(parameters).toMatch(
      new RegExp(
        `^;created=1700000000;expires=1700000030;nonce="[A-Za-z0-9_-]{22}";keyid="${key.thumbprint}";tag="countersign"$`,
      ),
    );
    expect(await verify(server.last(), key, 1_700_000_029)).toMatchObject({ ok: true });
    expect(await verify(server.last(), key, 1_700_000_036)).toMatchObject({ ok: false, code: 'expired' });
  });

  it('never uses a nonce twice [A10]', async () => {
    const before = server.requests.length;
    await Promise.all(Array.from({ length: 20 }, () => agent.fetch(server.url)));
    const nonces = server.requests
      .slice(before)
      .map((seen) => /nonce="([^"]+)"/.exec(field(seen, 'signature-input') ?? '')?.[1]);
    expect(new Set(nonces).size).toBe(20);
  });

  it.each([
    '',
    '/',
    '?a=b',
    '/?',
    '/a?#fragment',
    '/a b/ü/%7e%2F;x=1?q=a b&q=ü&e="\'<>|^`{}[]\\',
    '/a/../b//c/./d/%2e%2e/e',
    '/back\\slash?back\\slash',
    '/emoji/\u{1f600}?\u{1f600}#x',
    '/plus+plus?a=1+2&a=%zz&&=',
  ])('signs the target that undici puts on the request line: %s [A13]', async (path) => {
    await agent.fetch(target(path));
    expect(await verify(server.last(), key)).toMatchObject({ ok: true });
    await agent.fetch(new URL(target(path)));
    expect(await verify(server.last(), key)).toMatchObject({ ok: true });
    await agent.fetch(new Request(target(path)));
    expect(await verify(server.last(), key)).toMatchObject({ ok: true });
  });

  it.each(['get', 'GET', 'put', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD', 'PROPFIND'])(
    'signs the method as sent: %s',
    async (method) => {
      await agent.fetch(server.url, { method });
      expect(await verify(server.last(), key)).toMatchObject({ ok: true });
    },
  );

  const form = new FormData();
  form.set('title', 'Grüße');
  form.set('file', new Blob(['content'], { type: 'text/x-diff' }), 'a.diff');
  const bytes = new Uint8Array([0, 255, 13, 10, 128]);
  it.each<[string, () => BodyInitOf, RegExp | undefined]>([
    ['a string', () => '{"title":"Grüße"}', /^text\/plain;charset=UTF-8$/],
    ['bytes', () => bytes, undefined],
    ['an ArrayBuffer', () => bytes.buffer.slice(0), undefined],
    ['a view of a larger buffer', () => new Uint8Array(bytes.buffer, 1, 3), undefined],
    ['URLSearchParams', () => new URLSearchParams({ a: 'b c', d: 'ü' }), /^application\/x-www-form-urlencoded/],
    ['FormData', () => form, /^multipart\/form-data; boundary=/],
    ['a Blob', () => new Blob(['<p>'], { type: 'text/html' }), /^text\/html$/],
    ['a Blob without a type', () => new Blob(['x']), undefined],
    ['a ReadableStream', stream, undefined],
    ['an async iterable', () => chunks(), undefined],
  ])('covers the exact bytes of %s [A4]', async (_name, body, contentType) => {
    await agent.fetch(server.url, { method: 'POST', body: body() });
    const seen = server.last();
    expect(seen.body.length).toBeGreaterThan(0);
    expect(digestMatches(seen)).toBe(true);
    expect(await verify(seen, key)).toMatchObject({ ok: true });
    if (contentType === undefined) expect(field(seen, 'content-type')).toBeUndefined();
    else expect(field(seen, 'content-type')).toMatch(contentType);
    expect(covered()).toBe(
      `"@method" "@authority" "@path" "@query" ${contentType === undefined ? '' : '"content-type" '}"content-digest"`,
    );
  });

  it('takes a Request with a body, and init over it', async () => {
    const request = new Request(`${server.url}/a`, { method: 'PUT', body: 'one', headers: { 'x-a': '1' } });
    await agent.fetch(request.clone());
    expect(server.last()).toMatchObject({ method: 'PUT', body: Buffer.from('one') });
    await agent.fetch(request, { method: 'POST', body: 'two', headers: { 'content-type': 'text/x-two' } });
    expect(server.last()).toMatchObject({ method: 'POST', body: Buffer.from('two') });
    expect(field(server.last(), 'content-type')).toBe('text/x-two');
    expect(field(server.last(), 'x-a')).toBeUndefined();
    expect(await verify(server.last(), key)).toMatchObject({ ok: true });
  });

  it('treats an empty body as none', async () => {
    await agent.fetch(server.url, { method: 'POST', body: '' });
    expect(field(server.last(), 'content-digest')).toBeUndefined();
    expect(await verify(server.last(), key)).toMatchObject({ ok: true });
  });

  it('replaces a Content-Digest that the caller set [A4]', async () => {
    await agent.fetch(server.url, { method: 'POST', body: 'x', headers: { 'Content-Digest': 'sha-256=:AAAA:' } });
    expect(digestMatches(server.last())).toBe(true);
    await agent.fetch(server.url, { headers: { 'Content-Digest': 'sha-256=:AAAA:' } });
    expect(field(server.last(), 'content-digest')).toBeUndefined();
  });

  it('covers credentials, MCP routing fields, overridden methods and what it was told to, when present', async () => {
    const careful = await createAgent({ id: 'a', key, cover: ['idempotency-key', 'mcp-name'] });
    await careful.fetch(server.url, {
      method: 'POST',
      body: '{}',
      headers: [
        ['Content-Type', 'application/json'],
        ['Mcp-Name', '  search  '],
        ['Mcp-Method', 'tools/call'],
        ['Mcp-Session-Id', 's1'],
        ['Mcp-Param-Region', 'eu'],
        ['Agent-Delegation', '"a.b.c"'],
        ['Agent-Delegation', '"d.e.f"'],
        ['Agent-Approval', 'g.h.i'],
        ['Authorization', `Bearer ${token}`],
        ['X-HTTP-Method-Override', 'DELETE'],
        ['Idempotency-Key', '"k1"'],
        ['X-Other', 'not covered'],
      ],
    });
    expect(covered()).toBe(
      '"@method" "@authority" "@path" "@query" "content-type" "content-digest" "authorization" "agent-delegation" ' +
        '"agent-approval" "mcp-method" "mcp-name" "mcp-session-id" "x-http-method-override" "idempotency-key" ' +
        '"mcp-param-region"',
    );
    expect(await verify(server.last(), key)).toMatchObject({ ok: true });
  });

  it('the signature fails when a credential is swapped on the way [A18]', async () => {
    await agent.withToken(token).fetch(server.url);
    const seen = server.last();
    const swapped = seen.rawHeaders.map((value) => (value === `Bearer ${token}` ? 'Bearer other' : value));
    expect(await verify({ ...seen, rawHeaders: swapped }, key)).toMatchObject({ ok: false, code: 'invalid' });
  });

  it('refuses a body over the limit, and stops reading it there', async () => {
    let pulled = 0;
    const long = new ReadableStream<Uint8Array>({
      pull: (controller) => {
        // It ends after all, so that a lost limit fails this test and does not fill the memory.
        if (++pulled > 50) controller.close();
        else controller.enqueue(new Uint8Array(1000));
      },
    });
    const small = await createAgent({ id: 'a', key, maxBodyBytes: 4000 });
    const before = server.requests.length;
    expect(await codeOf(small.fetch(server.url, { method: 'POST', body: long as unknown as Blob }))).toBe(
      'body_too_large',
    );
    expect(pulled).toBeLessThan(10);
    expect(await codeOf(small.signRequest({ method: 'POST', url: server.url, body: 'x'.repeat(4001) }))).toBe(
      'body_too_large',
    );
    expect(server.requests.length).toBe(before);
    await small.fetch(server.url, { method: 'POST', body: 'x'.repeat(4000) });
    expect(await verify(server.last(), key)).toMatchObject({ ok: true });
  });

  it('refuses a stream of something else than bytes', async () => {
    const words = new ReadableStream({
      start: (controller) => {
        controller.enqueue('text');
        controller.close();
      },
    });
    await expect(agent.fetch(server.url, { method: 'POST', body: words as unknown as Blob })).rejects.toThrow(
      TypeError,
    );
  });

  it('quotes the target of a redirect short and escaped [F1, F3]', async () => {
    const refused = agent.fetch(`${server.url}/hostile`);
    await expect(refused).rejects.toThrow('redirected the call to /\\u009b31mxxx');
    await expect(refused).rejects.toSatisfy(({ message }: Error) => message.length < 450);
  });

  it('does not carry a signature along a redirect', async () => {
    const before = server.requests.length;
    expect(await codeOf(agent.fetch(`${server.url}/moved`, { method: 'POST', body: 'x' }))).toBe('redirect_refused');
    expect(await codeOf(agent.fetch(new Request(`${server.url}/moved`)))).toBe('redirect_refused');
    expect(server.requests.slice(before).map((seen) => seen.target)).toEqual(['/moved', '/moved']);
    const response = await agent.fetch(`${server.url}/moved`, { redirect: 'manual' });
    expect([response.status, response.headers.get('location')]).toEqual([307, '/elsewhere']);
    await expect(agent.fetch(`${server.url}/moved`, { redirect: 'follow' })).rejects.toThrow(/follow/);
  });

  it.each([
    ['in the options', (signal: AbortSignal): Parameters<Agent['fetch']> => [target('/open'), { signal }]],
    ['of a Request', (signal: AbortSignal): Parameters<Agent['fetch']> => [new Request(target('/open'), { signal })]],
  ])('ends an answer by the signal %s, also after a garbage collection [I7]', async (_where, call) => {
    setFlagsFromString('--expose-gc');
    const controller = new AbortController();
    const given = call(controller.signal);
    const reader = (await agent.fetch(...given)).body?.getReader();
    await reader?.read();
    const next = reader?.read();
    // The weak references of the turn are dropped at its end.
    for (let turn = 0; turn < 5; turn += 1) {
      await setImmediate();
      runInNewContext('gc')();
    }
    controller.abort();
    await expect(next).rejects.toThrow(/abort/);
    // A Request that nobody holds any more hears of no abort, with the plain fetch, too.
    expect(given).toBeDefined();
  });

  it('can be aborted', async () => {
    const controller = new AbortController();
    controller.abort();
    await expect(agent.fetch(server.url, { signal: controller.signal })).rejects.toThrow(/abort/);
  });

  it('refuses headers that would contradict the signature', async () => {
    expect(await codeOf(agent.fetch(server.url, { headers: { host: 'api.evil.example' } }))).toBe('host_mismatch');
    expect(await codeOf(agent.fetch(server.url, { headers: { signature: 'sig=:AA==:' } }))).toBe('already_signed');
    expect(await codeOf(agent.fetch(server.url, { headers: { 'signature-input': 'sig=()' } }))).toBe('already_signed');
    await agent.fetch(server.url, { headers: { host: server.host } });
    expect(await verify(server.last(), key)).toMatchObject({ ok: true });
  });

  it.each(['data:text/plain,x', 'ftp://a.example/', 'blob:nodedata:1'])('refuses %s', async (url) => {
    expect(await codeOf(agent.fetch(url))).toBe('url_unsupported');
  });

  it('sends no token and no signature to other origins than it was given', async () => {
    const bound = await createAgent({ id: 'agent-a', key, origins: ['https://API.acme.dev:443', `${server.url}/`] });
    await bound.withToken(token).fetch(target('/a'));
    expect(field(server.last(), 'authorization')).toBe(`Bearer ${token}`);
    const before = server.requests.length;
    const elsewhere = server.url.replace('127.0.0.1', 'localhost');
    for (const signer of [bound, bound.withToken(token)]) {
      expect(await codeOf(signer.fetch(elsewhere, { method: 'POST', body: stream() }))).toBe('origin_not_allowed');
      expect(await codeOf(signer.signRequest({ method: 'GET', url: elsewhere }))).toBe('origin_not_allowed');
    }
    expect(server.requests).toHaveLength(before);
    const { headers } = await bound.signRequest({ method: 'GET', url: 'https://api.acme.dev/a' });
    expect(headers['signature-input']).toContain('"@authority"');
  });

  it('uses the fetch it was given, in the (url, init) form', async () => {
    const calls: [unknown, RequestInit | undefined][] = [];
    const own = await createAgent({
      id: 'a',
      key,
      fetch: (input, init) => {
        calls.push([input, init]);
        return Promise.resolve(new Response('stub'));
      },
    });
    const dispatcher = {} as never;
    await own.fetch('https://api.acme.dev/a#b', { method: 'POST', body: 'x', dispatcher });
    expect(calls[0]?.[0]).toBe('https://api.acme.dev/a');
    expect(calls[0]?.[1]).toMatchObject({
      method: 'POST',
      body: new Uint8Array([120]),
      redirect: 'manual',
      dispatcher,
    });
  });
});

describe('withToken', () => {
  it('adds the token and covers it', async () => {
    await agent.withToken(token).fetch(server.url);
    expect(field(server.last(), 'authorization')).toBe(`Bearer ${token}`);
    expect(covered()).toContain('"authorization"');
    expect(await verify(server.last(), key)).toMatchObject({ ok: true });
    await agent.fetch(server.url);
    expect(field(server.last(), 'authorization')).toBeUndefined();
  });

  it('refuses a second token [B8]', async () => {
    const call = agent.withToken(token).fetch(server.url, { headers: { Authorization: 'Bearer x' } });
    expect(await codeOf(call)).toBe('credential_conflict');
  });

  it.each(['', 'a b', 'a\r\nX-Evil: 1', 'Bearer a', 'ä', '=a'])('refuses what is not a token: %j', (text) => {
    expect(() => agent.withToken(text)).toThrow(TypeError);
  });

  it('says of a token that is a promise still that it is one', () => {
    const promised = Promise.resolve(token) as unknown as string;
    expect(() => agent.withToken(promised)).toThrow(
      new TypeError("withToken: the token is a promise. Write 'await' before it."),
    );
  });

  const sent: string[] = [];
  const offline = {
    id: 'a',
    key,
    fetch: (input: unknown): Promise<Response> => {
      sent.push(String(input));
      return Promise.resolve(new Response('stub'));
    },
  };
  it('never sends a credential over plain http, except on loopback', async () => {
    const guarded = await createAgent(offline);
    const carrying = { headers: { 'agent-approval': 'a.b.c' } };
    for (const url of [
      'http://api.acme.dev/',
      'http://127.0.0.1.nip.io/',
      'http://localhost.acme.dev/',
      'http://10.0.0.1/',
      'http://api.localhost/',
    ]) {
      expect(await codeOf(guarded.withToken(token).fetch(url))).toBe('insecure_credential');
      expect(await codeOf(guarded.withToken(token).signRequest({ method: 'GET', url }))).toBe('insecure_credential');
      expect(await codeOf(guarded.fetch(url, carrying))).toBe('insecure_credential');
    }
    expect(sent).toEqual([]);
    const fine = ['http://localhost:1/', 'http://127.1.2.3/', 'http://[::1]:1/', 'https://api.acme.dev/'];
    for (const url of fine) await guarded.withToken(token).fetch(url);
    await guarded.fetch('http://api.acme.dev/');
    expect(sent).toEqual([...fine, 'http://api.acme.dev/']);
    const dangerous = await createAgent({ ...offline, dangerouslyAllowHttp: true });
    await dangerous.withToken(token).fetch('http://api.acme.dev/');
    expect(sent.at(-1)).toBe('http://api.acme.dev/');
  });
});

describe('signRequest', () => {
  it.each<[string, string | Uint8Array | undefined]>([
    ['GET', undefined],
    ['POST', '{"title":"Grüße"}'],
    ['PATCH', new Uint8Array([0, 1, 2])],
    ['DELETE', 'a body on DELETE'],
    ['patch', '{}'],
  ])('signs for a client of any kind: node:http %s', async (method, body) => {
    const signed = await agent
      .withToken(token)
      .signRequest({ method, url: `${server.url}/a b?c=ü`, ...(body === undefined ? {} : { body }) });
    await sendByNodeHttp(signed, body);
    expect(await verify(server.last(), key)).toMatchObject({ ok: true });
    if (body !== undefined) expect(digestMatches(server.last())).toBe(true);
    expect(field(server.last(), 'authorization')).toBe(`Bearer ${token}`);
  });

  it('covers the content coding, which decides how the body is read [H3]', async () => {
    const headers = { 'Content-Encoding': 'gzip' };
    const { headers: signed } = await agent.signRequest({ method: 'POST', url: server.url, headers, body: 'x' });
    expect(signed['signature-input']).toContain('"content-encoding"');
  });

  it('keeps the given headers and never leaves the content type to the client', async () => {
    const given = { 'X-Trace': '1', 'Content-Type': 'application/json' };
    const signed = await agent.signRequest({ method: 'POST', url: server.url, headers: given, body: '{}' });
    expect(signed.headers).toMatchObject({ 'x-trace': '1', 'content-type': 'application/json' });
    const text = await agent.signRequest({ method: 'POST', url: server.url, body: 'x' });
    expect(text.headers['content-type']).toBe('text/plain;charset=UTF-8');
    const binary = await agent.signRequest({ method: 'POST', url: server.url, body: new Uint8Array(1) });
    expect(binary.headers['content-type']).toBe('application/octet-stream');
    expect(text.headers['signature-input']).toContain('"content-type"');
  });

  it.each(['/relative', 'https://user:secret@api.acme.dev/', 'wss://api.acme.dev/', 'https://api.acme.dev/a/..%2Fb'])(
    'refuses the URL %s',
    async (url) => {
      expect(await codeOf(agent.signRequest({ method: 'GET', url }))).toBe('url_unsupported');
    },
  );
});

type BodyInitOf = NonNullable<RequestInit['body']>;

async function* chunks(): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode('one ');
  yield new TextEncoder().encode('two');
}

function sendByNodeHttp({ method, url, headers }: SignedRequest, body: string | Uint8Array | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = httpRequest(url, { method, headers }, (response) => response.resume().on('end', () => resolve()));
    request.on('error', reject);
    request.end(body);
  });
}
