import { setImmediate } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { ConfigError } from '@countersign/common';
import { fetchJson, readRemoteUrl } from '../../src/remote/remote-json.js';
import { local, startServer } from './json-server.js';

describe('readRemoteUrl', () => {
  it('takes an https URL', () => {
    expect(readRemoteUrl('x', 'https://keys.example/jwks.json', {}).href).toBe('https://keys.example/jwks.json');
  });

  it.each([
    ['http://keys.example/', /plain http.*dangerouslyAllowHttp/],
    ['https://user:secret@keys.example/', /credentials/],
    ['https://user@keys.example/', /credentials/],
    ['https://127.0.0.1/', /not a public address/],
    ['https://169.254.169.254/latest/meta-data', /not a public address/],
    ['https://[::1]/', /not a public address/],
    ['https://[::ffff:7f00:1]/', /not a public address/],
    ['https://2130706433/', /not a public address/],
    ['https://0x7f.1/', /not a public address/],
    ['https://0177.0.0.1/', /not a public address/],
    ['https://[fd00:ec2::254]/', /not a public address/],
    ['file:///etc/passwd', /not an https URL/],
    ['ftp://keys.example/', /not an https URL/],
    ['keys.example', /not an https URL/],
    ['', /not an https URL/],
  ])('%s is refused at creation [A14]', (url, message) => {
    expect(() => readRemoteUrl('option', url, {})).toThrow(ConfigError);
    expect(() => readRemoteUrl('option', url, {})).toThrow(message);
  });

  it('each danger has its own switch', () => {
    expect(() => readRemoteUrl('x', 'http://127.0.0.1/', { dangerouslyAllowHttp: true })).toThrow(/public address/);
    expect(() => readRemoteUrl('x', 'http://127.0.0.1/', { dangerouslyAllowPrivateAddresses: true })).toThrow(
      /plain http/,
    );
    expect(readRemoteUrl('x', 'http://127.0.0.1/', local).href).toBe('http://127.0.0.1/');
  });
});

describe('fetchJson', () => {
  it('fetches JSON', async () => {
    const server = await startServer({ json: { keys: [] } });
    expect(await fetchJson(new URL(server.url), local)).toEqual({ ok: true, json: { keys: [] } });
  });

  it('takes some interim answers, and not any number [A14]', async () => {
    let count = 0;
    const server = await startServer(async (_, response) => {
      for (let sent = 0; sent < count && !response.destroyed; sent += 1) {
        response.writeProcessing();
        await setImmediate();
      }
      response.setHeader('content-type', 'application/json').end('{}');
    });
    count = 8;
    expect(await fetchJson(new URL(server.url), local)).toEqual({ ok: true, json: {} });
    count = Infinity;
    expect(await fetchJson(new URL(server.url), local)).toMatchObject({
      ok: false,
      problem: expect.stringContaining('interim answers without end'),
    });
  });

  it.each(['application/json', 'application/json; charset=utf-8', 'application/jwk-set+json', 'Application/JSON'])(
    'takes %s as JSON',
    async (type) => {
      const server = await startServer((_, response) => response.setHeader('content-type', type).end('{}'));
      expect(await fetchJson(new URL(server.url), local)).toEqual({ ok: true, json: {} });
    },
  );

  it.each([
    'text/html',
    'text/plain',
    'application/jsonp',
    'application/javascript',
    'text/html; x=application/json',
    '',
  ])('content type %j is refused [A14]', async (type) => {
    const server = await startServer((_, response) => response.setHeader('content-type', type).end('{}'));
    expect(await fetchJson(new URL(server.url), local)).toMatchObject({
      ok: false,
      problem: expect.stringMatching(/content type/),
    });
  });

  it.each([301, 302, 303, 307, 308])('redirect %i is not followed [A14]', async (status) => {
    const target = await startServer({ json: { keys: [] } });
    const server = await startServer((_, response) => response.writeHead(status, { location: target.url }).end());
    expect(await fetchJson(new URL(server.url), local)).toMatchObject({
      ok: false,
      problem: expect.stringMatching(/redirect/),
    });
    expect(target.requests).toBe(0);
  });

  it.each([204, 404, 500, 503])('status %i is a problem', async (status) => {
    const server = await startServer((_, response) =>
      response.writeHead(status, { 'content-type': 'application/json' }).end(),
    );
    expect(await fetchJson(new URL(server.url), local)).toMatchObject({
      ok: false,
      problem: `the answer has status ${status}`,
    });
  });

  it('10 MB are not read to their end [A14]', async () => {
    let sent = 0;
    const server = await startServer((_, response) => {
      response.setHeader('content-type', 'application/json');
      const chunk = Buffer.alloc(64 * 1024, 'x');
      const send = (): void => {
        while (sent < 10_000_000 && !response.destroyed) {
          sent += chunk.length;
          if (!response.write(chunk)) return void response.once('drain', send);
        }
        response.end();
      };
      send();
    });
    expect(await fetchJson(new URL(server.url), local)).toMatchObject({
      ok: false,
      problem: expect.stringMatching(/larger than 1048576/),
    });
  });

  it('a body that comes in drops is given up [A14]', async () => {
    const server = await startServer((_, response) => {
      response.setHeader('content-type', 'application/json');
      response.write('{');
      const drops = setInterval(() => response.write(' '), 10);
      response.on('close', () => clearInterval(drops));
    });
    const limits = { timeoutMilliseconds: 150, maxBytes: 1000 };
    expect(await fetchJson(new URL(server.url), local, limits)).toEqual({
      ok: false,
      problem: 'it took longer than 150 ms',
    });
  });

  it('a server that never answers is given up [A14]', async () => {
    const server = await startServer(() => {});
    const limits = { timeoutMilliseconds: 100, maxBytes: 1000 };
    expect(await fetchJson(new URL(server.url), local, limits)).toMatchObject({
      ok: false,
      problem: expect.stringMatching(/longer than/),
    });
  });

  it.each([
    [
      'switches protocols',
      'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
      false,
    ],
    ['switches to none', 'HTTP/1.1 101 Switching Protocols\r\n\r\n', true],
    ['is closed without an answer', '', true],
    ['is closed after a hint', 'HTTP/1.1 103 Early Hints\r\n\r\n', true],
  ])('a connection that %s is given up at once [A14]', async (_title, answer, ends) => {
    const server = await startServer(({ socket }) => void (ends ? socket.end(answer) : socket.write(answer)));
    const limits = { timeoutMilliseconds: 15_000, maxBytes: 1000 };
    const began = performance.now();
    expect(await fetchJson(new URL(server.url), local, limits)).toEqual({ ok: false, problem: expect.any(String) });
    expect(performance.now() - began).toBeLessThan(10_000);
  });

  it('a compressed answer, a cut one, and one that is no strict JSON are problems [A14]', async () => {
    const server = await startServer((_, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-encoding': 'gzip' }).end(gzipSync('{}'));
    });
    expect(await fetchJson(new URL(server.url), local)).toMatchObject({
      ok: false,
      problem: expect.stringMatching(/compressed/),
    });
    server.answer = (_, response) => {
      response.writeHead(200, { 'content-type': 'application/json', 'content-length': '100' });
      response.write('{}', () => response.destroy());
    };
    expect(await fetchJson(new URL(server.url), local)).toMatchObject({ ok: false });
    for (const body of ['{"keys":[],"keys":[]}', '<html>', '', '{}{}']) {
      server.answer = (_, response) => response.setHeader('content-type', 'application/json').end(body);
      expect(await fetchJson(new URL(server.url), local)).toMatchObject({
        ok: false,
        problem: expect.stringMatching(/unusable/),
      });
    }
  });

  it('a name is checked after it was resolved, so DNS rebinding gains nothing [A14]', async () => {
    const server = await startServer({ json: { keys: [] } });
    const url = new URL(`http://localhost:${server.port}/`);
    expect(await fetchJson(url, { dangerouslyAllowHttp: true })).toMatchObject({
      ok: false,
      problem: expect.stringMatching(/not public/),
    });
    expect(server.requests).toBe(0);
  });

  it('nobody there is a problem, not an exception', async () => {
    const server = await startServer((request) => request.socket.destroy());
    expect(await fetchJson(new URL(server.url), local)).toMatchObject({ ok: false });
    expect(await fetchJson(new URL('https://name.invalid/'), {})).toMatchObject({ ok: false });
  });
});
