import middie from '@fastify/middie';
import multipart from '@fastify/multipart';
import websocket from '@fastify/websocket';
import { ConfigError, type Guard, refusal, RefusalError } from '@countersign/core';
import {
  fastify,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerOptions,
} from 'fastify';
import { EventEmitter, once } from 'node:events';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { Readable } from 'node:stream';
import { describe, expect, it, vi } from 'vitest';
import { Connection } from '../../../test/support/connection.js';
import { agentId, guarded, host, outcomeOf, send, signed, unsigned } from '../../../test/support/guarded.js';
import { patiently } from '../../../test/support/patiently.js';
import { serialized, tampered } from '../../../test/support/signed-request.js';
import { agentAuth, getCaller, permit, Permit } from '../src/index.js';
import { Api, codeOf } from './support.js';

const verifiedOnly = { config: { permit: false } } as const;
const beginStream = async (_request: FastifyRequest, reply: FastifyReply) =>
  void reply.header('transfer-encoding', 'chunked').header('content-encoding', 'gzip');
const missing = async (request: FastifyRequest) => ({ isMissing: request.caller === undefined });
const json = { method: 'POST', body: '{"a":[1]}' };

describe.each<[string, readonly unknown[], 'respond' | 'throw']>([
  ['before', [agentAuth, websocket], 'respond'],
  ['after', [websocket, agentAuth], 'respond'],
  ['before', [agentAuth, websocket], 'throw'],
  ['after', [websocket, agentAuth], 'throw'],
])('agentAuth %s a plugin that routes the openings of WebSockets', (_order, plugins, onRefusal) => {
  const opening = [
    ['Connection', 'Upgrade'],
    ['Upgrade', 'websocket'],
    ['Sec-WebSocket-Version', '13'],
    ['Sec-WebSocket-Key', 'MDEyMzQ1Njc4OWFiY2RlZg=='],
  ] as const;

  it(`keeps no connection of a refused one, and opens that of an agent that may (${onRefusal}) [D8, G3]`, async () => {
    const { guard } = await guarded();
    const app = fastify();
    app.setErrorHandler<RefusalError>((error, _request, reply) => reply.code(error.status).send({ code: error.code }));
    for (const plugin of plugins) await app.register(plugin as typeof agentAuth, { guard, onRefusal });
    const opened = vi.fn();
    app.get('/open', { ...permit('thing.read', { type: 'Thing', id: '1' }), websocket: true }, (socket) => {
      opened();
      socket.close();
    });
    app.get('/closed', { websocket: true }, opened);
    const url = await app.listen({ port: 0, host: '127.0.0.1' });
    for (const [request, status] of [
      [unsigned({ target: '/open' }), 401],
      [signed({ target: '/closed' }), 403],
      [unsigned({ target: '/.well-known/countersign' }), 200],
    ] as const) {
      const connection = await Connection.open(url);
      connection.write(serialized({ ...request, fields: [...request.fields, ...opening] }));
      expect((await connection.read()).status).toBe(status);
      await connection.closed();
    }
    expect(opened).not.toHaveBeenCalled();
    const connection = await Connection.open(url);
    const request = signed({ target: '/open' });
    connection.write(serialized({ ...request, fields: [...request.fields, ...opening] }));
    await vi.waitFor(() => expect(opened).toHaveBeenCalledOnce(), patiently);
    connection.destroy();
    await app.close();
  });

  it(`answers no message whose @Permit is refused, and leaves its socket open (${onRefusal}) [G7]`, async () => {
    class Things {
      @Permit('forbidden', { type: 'Thing', id: '1' })
      async read(_request: FastifyRequest): Promise<string> {
        return 'SECRET';
      }
    }
    const { guard } = await guarded();
    const app = fastify();
    for (const plugin of plugins) await app.register(plugin as typeof agentAuth, { guard, onRefusal });
    app.get('/open', { ...permit('thing.read', { type: 'Thing', id: '1' }), websocket: true }, (socket, request) => {
      void new Things().read(request).catch(() => {});
      setTimeout(() => socket.send('no such thing'));
    });
    const { port } = new URL(await app.listen({ port: 0, host: '127.0.0.1' }));
    const request = signed({ target: '/open' });
    const socket = connect(Number(port)).setEncoding('latin1');
    socket.write(serialized({ ...request, fields: [...request.fields, ...opening] }));
    let received = '';
    for await (const text of socket) if ((received += String(text)).includes('no such thing')) break;
    expect(received).not.toContain('HTTP/1.1 403');
    await app.close();
  });
});

describe('agentAuth', () => {
  it('answers with the exact bytes of the refusal and runs no later handler', async () => {
    const behind = vi.fn(async () => undefined);
    await using api = await Api.start((app) =>
      app.addHook('onRequest', behind).addHook('preParsing', behind).get('/', verifiedOnly, behind),
    );
    const response = await send(api.url, unsigned());
    const rendered = api.guarded.guard.respond(refusal('signature_required'));
    expect(response).toMatchObject({ status: 401, body: rendered.body, headers: rendered.headers });
    expect(response.headers['content-length']).toBe(String(rendered.body.length));
    expect(behind).not.toHaveBeenCalled();
    expect(api.guarded.audit.records).toMatchObject([{ phase: 'authentication', code: 'signature_required' }]);
  });

  it('passes a verified request on with its caller', async () => {
    await using api = await Api.start((app) => app.get('/', verifiedOnly, async ({ caller }) => caller?.actor.id));
    expect(await api.call()).toMatchObject({ status: 200, body: agentId });
    expect(await outcomeOf(api.guarded)).toEqual({ result: 'finished', status: 200 });
  });

  it('checks HEAD like GET, and refuses it without a body [D7]', async () => {
    const handler = vi.fn(async () => 'x');
    await using api = await Api.start((app) => app.get('/', verifiedOnly, handler));
    expect((await api.call({ method: 'HEAD' })).status).toBe(200);
    expect(handler).toHaveBeenCalledTimes(1);
    const refused = await send(api.url, unsigned({ method: 'HEAD' }));
    expect(refused).toMatchObject({ status: 401, body: '' });
    expect(handler).toHaveBeenCalledTimes(1);
  });

  it('refuses where the application has begun to describe its own answer', async () => {
    await using api = await Api.start((app) => {
      app.get(
        '/',
        { ...permit('thing.read', { type: 'Thing', id: 'forbidden' }), onRequest: beginStream },
        async () => 'x',
      );
    });
    const refused = await api.call();
    expect([refused.status, codeOf(refused)]).toEqual([403, 'policy_denied']);
    expect(refused.headers).not.toHaveProperty('content-encoding');
    expect(refused.headers).not.toHaveProperty('transfer-encoding');
  });

  it('keeps answers and refusals from caches that a hook before it invites [A13]', async () => {
    await using api = await Api.start((app) => app.get('/', verifiedOnly, async () => 'x'), {
      before: (app) => {
        app.addHook('onRequest', async (_request, reply) => {
          void reply.headers({ 'cache-control': 'public, max-age=30', 'cdn-cache-control': 'max-age=30' });
        });
      },
    });
    for (const [request, said] of [
      [signed(), 'private, max-age=30'],
      [unsigned(), 'no-store'],
    ] as const) {
      const { headers } = await send(api.url, request);
      expect(headers).toMatchObject({ 'cache-control': said });
      expect(headers).not.toHaveProperty('cdn-cache-control');
    }
  });

  it('has no caller for people, neither within the plugin nor beside it [G1]', async () => {
    const app = fastify();
    const { guard } = await guarded({ traffic: 'mixed' });
    await app.register(async (part) => {
      await part.register(agentAuth, { guard });
      part.get('/inside', verifiedOnly, missing);
    });
    app.get('/beside', missing);
    const url = await app.listen({ port: 0, host: '127.0.0.1' });
    for (const target of ['/inside', '/beside']) {
      expect(JSON.parse((await send(url, unsigned({ target }))).body), target).toEqual({ isMissing: true });
    }
    await app.close();
  });

  it('refuses HEAD on a server that rejects bodies of its answers [D7]', async () => {
    const server: FastifyServerOptions = {
      serverFactory: (handler) => createServer({ rejectNonStandardBodyWrites: true }, handler),
    };
    await using api = await Api.start((app) => app, { server });
    const refused = await send(api.url, unsigned({ method: 'HEAD', target: '/nowhere' }));
    expect(refused).toMatchObject({ status: 401, body: '' });
  });

  it('verifies an unknown URL before it answers 404 [G3]', async () => {
    const missing = vi.fn((_request: FastifyRequest, reply: FastifyReply) => reply.code(404).send('mine'));
    await using api = await Api.start((app) => app.setNotFoundHandler(missing));
    expect(codeOf(await send(api.url, unsigned({ target: '/nowhere' })))).toBe('signature_required');
    expect(missing).not.toHaveBeenCalled();
    expect(await api.call({ target: '/nowhere' })).toMatchObject({ status: 404, body: 'mine' });
  });

  it("verifies before Fastify's own 404, and for an unknown method [G3]", async () => {
    await using api = await Api.start((app) => app.get('/', verifiedOnly, async () => 'x'));
    expect(codeOf(await send(api.url, unsigned({ target: '/nowhere' })))).toBe('signature_required');
    expect((await api.call({ target: '/nowhere' })).status).toBe(404);
    expect(codeOf(await send(api.url, unsigned({ method: 'PROPFIND' })))).toBe('signature_required');
  });

  it('guards the routes of every later plugin and prefix [G3]', async () => {
    await using api = await Api.start(async (app) => {
      await app.register(
        async (child) => {
          child.get('/things', verifiedOnly, async () => 'x');
          await child.register(async (inner) => inner.get('/deep', verifiedOnly, async () => 'y'), { prefix: '/v1' });
        },
        { prefix: '/api' },
      );
    });
    for (const target of ['/api/things', '/api/v1/deep']) {
      expect(codeOf(await send(api.url, unsigned({ target })))).toBe('signature_required');
      expect((await api.call({ target: `${target}?x=y` })).status).toBe(200);
      expect(codeOf(await send(api.url, tampered(signed({ target }), { target: `${target}?x=y` })))).toBe(
        'signature_invalid',
      );
    }
  });

  it('guards only its own plugin when it is registered in one [G3]', async () => {
    const { guard } = await guarded();
    const app = fastify();
    app.register(async (child) => {
      await child.register(agentAuth, { guard });
      child.get('/guarded', verifiedOnly, async () => 'x');
    });
    app.get('/public', async () => 'open');
    expect((await app.inject('/public')).body).toBe('open');
    expect((await app.inject('/guarded')).statusCode).toBe(401);
    await app.close();
  });

  it('guards a route that was declared before the plugin was loaded [G3]', async () => {
    const { guard } = await guarded();
    const app = fastify();
    app.register(agentAuth, { guard });
    app.get('/', verifiedOnly, async () => 'x');
    expect((await app.inject({ url: '/', headers: { host } })).json()).toMatchObject({ code: 'signature_required' });
    await app.close();
  });

  it('verifies the target of the request line when the URL is rewritten [A13]', async () => {
    await using api = await Api.start((app) => app.get('/inner', verifiedOnly, async () => 'x'), {
      server: { rewriteUrl: () => '/inner' },
    });
    expect((await api.call({ target: '/outer?x=1' })).body).toBe('x');
    expect(api.guarded.audit.records.every(({ request }) => request.path === '/outer')).toBe(true);
  });

  it('ignores X-Forwarded-* with trustProxy [A13, G3]', async () => {
    await using api = await Api.start((app) => app.get('/', verifiedOnly, async () => 'x'), {
      server: { trustProxy: true },
    });
    expect((await api.call({ fields: [['X-Forwarded-Host', 'evil.example']] })).status).toBe(200);
    const evil = await api.call({ host: 'evil.example', fields: [['X-Forwarded-Host', host]] });
    expect(codeOf(evil)).toBe('origin_mismatch');
  });

  it('works with inject, which has no socket', async () => {
    const { guard } = await guarded();
    const app = fastify();
    await app.register(agentAuth, { guard });
    app.post('/', verifiedOnly, async ({ body }) => body);
    const inject = (payload: string) => {
      const headers = Object.fromEntries(signed(json).fields.map(([name, value]) => [name.toLowerCase(), value]));
      return app.inject({ method: 'POST', url: '/', headers, payload });
    };
    expect((await inject('{"a":[1]}')).json()).toEqual({ a: [1] });
    const forged = await inject('{"a":[2]}');
    expect(forged.json()).toMatchObject({ code: 'digest_mismatch' });
    await app.close();
  });
});

describe('bodies', () => {
  it('reach no parser when they are not the signed ones [A4]', async () => {
    const seen = vi.fn();
    await using api = await Api.start((app) => {
      app.addContentTypeParser('application/json', { parseAs: 'string' }, (_request, body, done) => {
        seen(body);
        done(null, JSON.parse(String(body)));
      });
      app.post('/', verifiedOnly, async ({ body }) => body);
    });
    const forged = tampered(signed(json), { body: Buffer.from('{"a":[2]}') });
    expect(codeOf(await send(api.url, forged))).toBe('digest_mismatch');
    expect(seen).not.toHaveBeenCalled();
    expect(JSON.parse((await api.call(json)).body)).toEqual({ a: [1] });
    expect(seen).toHaveBeenCalledTimes(1);
  });

  it('do not reach @fastify/multipart, which reads the raw request [A4]', async () => {
    const stored: string[] = [];
    await using api = await Api.start(async (app) => {
      await app.register(multipart);
      app.post('/', verifiedOnly, async (request) => {
        const file = await request.file();
        stored.push(String(await file?.toBuffer()));
        return 'stored';
      });
    });
    const lines = ['--b', 'Content-Disposition: form-data; name="f"; filename="f.txt"', '', 'content', '--b--', ''];
    const form = { method: 'POST', contentType: 'multipart/form-data; boundary=b', body: lines.join('\r\n') };
    expect((await api.call(form)).body).toBe('stored');
    const forged = Buffer.from(form.body.replace('content', 'forgery'));
    expect(codeOf(await send(api.url, tampered(signed(form), { body: forged })))).toBe('digest_mismatch');
    expect(stored).toEqual(['content']);
  });

  it('are readable as streams by a handler', async () => {
    await using api = await Api.start((app) => {
      app.addContentTypeParser('*', (_request, payload, done) => done(null, payload));
      app.put('/', verifiedOnly, async ({ body }) => {
        let bytes = 0;
        for await (const chunk of body as Readable) bytes += (chunk as Buffer).length;
        return { bytes };
      });
    });
    const body = Buffer.alloc(300_000, 7);
    const response = await api.call({ method: 'PUT', body, contentType: 'application/octet-stream' });
    expect(JSON.parse(response.body)).toEqual({ bytes: 300_000 });
  });

  it('leave the connection reusable when they are refused', async () => {
    await using api = await Api.start((app) => app.post('/', verifiedOnly, async ({ body }) => body));
    const connection = await Connection.open(api.url);
    connection.write(serialized(tampered(signed(json), { body: Buffer.from('{"a":[2]}') })));
    expect((await connection.read()).status).toBe(401);
    connection.write(serialized(signed(json)));
    expect((await connection.read()).status).toBe(200);
    connection.destroy();
  });

  it('are refused before they arrive when they are too large [G4]', async () => {
    const parts = await guarded({ maxBodyBytes: 10 });
    await using api = await Api.start((app) => app.post('/', verifiedOnly, async () => 'x'), { guarded: parts });
    const connection = await Connection.open(api.url);
    connection.write(serialized(signed({ method: 'POST', body: 'x'.repeat(3_000_000) })));
    expect(codeOf(await connection.read())).toBe('body_too_large');
    connection.destroy();
  });

  it('are refused with a fault of the server when an earlier hook read them [G2]', async () => {
    const { guard } = await guarded();
    const app = fastify();
    app.addHook('onRequest', async ({ raw }) => {
      for await (const _chunk of raw);
    });
    await app.register(agentAuth, { guard });
    app.post('/', verifiedOnly, async () => 'x');
    const url = await app.listen({ port: 0, host: '127.0.0.1' });
    expect(codeOf(await send(url, signed(json)))).toBe('body_consumed');
    await app.close();
  });
});

describe('request.caller and getCaller', () => {
  it('are undefined before the guard has let the request in', async () => {
    const seen: unknown[] = [];
    const { guard } = await guarded();
    const app = fastify();
    app.addHook('onRequest', async (request) => {
      seen.push(request.caller, getCaller(request));
    });
    await app.register(agentAuth, { guard });
    await app.inject('/');
    expect(seen).toEqual([undefined, undefined]);
    await app.close();
  });

  it('cannot be set by the application or shared between requests [G1]', async () => {
    const attempts: unknown[] = [];
    await using api = await Api.start((app) => {
      app.addHook('preParsing', async (request) => {
        try {
          (request as { caller: unknown }).caller = { actor: { id: 'admin' } };
        } catch (error) {
          attempts.push(error);
        }
      });
      app.post('/', verifiedOnly, async (request) => [request.caller?.actor.id, getCaller(request)?.actor.id]);
    });
    const body = '{"caller":{"actor":{"id":"admin"}},"raw":1}';
    expect(JSON.parse((await api.call({ method: 'POST', body })).body)).toEqual([agentId, agentId]);
    expect(attempts).toEqual([expect.any(TypeError)]);
  });

  it('are absent for an unmarked request in mixed traffic, while a broken mark is refused', async () => {
    const parts = await guarded({ traffic: 'mixed' });
    await using api = await Api.start((app) => app.get('/', async ({ caller }) => ({ caller })), { guarded: parts });
    expect(JSON.parse((await send(api.url, unsigned())).body)).toEqual({});
    const broken = tampered(signed(), { fields: { Signature: 'sig=:AAAA:' } });
    expect((await send(api.url, broken)).status).toBeGreaterThanOrEqual(400);
    expect(parts.audit.records.every(({ phase }) => phase === 'authentication')).toBe(true);
  });
});

const failing = async (): Promise<never> => {
  throw new Error('secret');
};

describe('outcomes', () => {
  it.each<[string, object, (app: FastifyInstance) => unknown]>([
    ['a handler that throws', { result: 'threw', status: 500 }, (app) => app.get('/', verifiedOnly, failing)],
    [
      'a handler that throws, answered by an error handler of the application',
      { result: 'threw', status: 418 },
      (app) =>
        app.setErrorHandler((_error, _request, reply) => reply.code(418).send('mine')).get('/', verifiedOnly, failing),
    ],
    [
      'a hijacked reply',
      { result: 'finished', status: 206 },
      (app) =>
        app.get('/', verifiedOnly, (_request, reply) => {
          reply.hijack();
          reply.raw.writeHead(206, { 'content-length': 1 }).end('x');
        }),
    ],
    [
      'a stream',
      { result: 'finished', status: 200 },
      (app) => app.get('/', verifiedOnly, (_request, reply) => reply.send(Readable.from(['a', 'b']))),
    ],
  ])('%s [F5]', async (_title, outcome, define) => {
    await using api = await Api.start(define);
    await api.call();
    expect(await outcomeOf(api.guarded)).toEqual(outcome);
  });

  it('record aborted when the client disconnects [F5]', async () => {
    const arrived = new EventEmitter();
    const arrival = once(arrived, 'request');
    await using api = await Api.start((app) =>
      app.get('/', verifiedOnly, (_request, reply) => {
        reply.raw.once('close', () => reply.hijack());
        arrived.emit('request');
      }),
    );
    const connection = await Connection.open(api.url);
    connection.write(serialized(signed()));
    await arrival;
    connection.destroy();
    expect(await outcomeOf(api.guarded)).toEqual({ result: 'aborted' });
  });
});

describe("onRefusal: 'throw'", () => {
  it("hands the refusal to the application's error handler", async () => {
    const errors: unknown[] = [];
    const define = (app: FastifyInstance) =>
      app
        .setErrorHandler((error, _request, reply) => {
          errors.push(error);
          return reply.send('mine');
        })
        .get(
          '/',
          { config: { permit: { action: 'forbidden', resource: { type: 'Thing', id: '1' } } } },
          async () => 'x',
        );
    await using api = await Api.start(define, { auth: { onRefusal: 'throw' } });
    expect((await send(api.url, unsigned())).body).toBe('mine');
    expect((await api.call()).body).toBe('mine');
    expect(errors).toEqual([expect.any(RefusalError), expect.any(RefusalError)]);
    expect(errors).toMatchObject([
      { code: 'signature_required', status: 401 },
      { code: 'policy_denied', status: 403 },
    ]);
    // The application sends the answer, not the guard.
    expect(await outcomeOf(api.guarded)).toEqual({ result: 'finished', status: 200 });
  });

  it("Fastify's own error handler answers with status and challenge", async () => {
    await using api = await Api.start(() => {}, { auth: { onRefusal: 'throw' } });
    expect(await send(api.url, unsigned())).toMatchObject({
      status: 401,
      headers: { 'www-authenticate': 'Signature error="signature_required"' },
    });
  });
});

describe('agentAuth, misused', () => {
  it.each([
    ['no guard', {}],
    ['a promise of no guard', { guard: Promise.resolve({}) }],
  ])('%s stops the start [G5]', async (_title, options) => {
    const app = fastify();
    await expect(async () => app.register(agentAuth, options as { guard: Guard })).rejects.toThrow(ConfigError);
  });

  it.each([
    [{ onRefusals: 'throw' }, "Did you mean 'onRefusal'"],
    [{ unmaped: 'authenticated' }, "Did you mean 'unmapped'"],
    [{ unmapped: 'allow' }, "'refuse' or 'authenticated'"],
    [{ prefix: '/api' }, "unknown option 'prefix'"],
  ])('%o stops the start [G5]', async (options, message) => {
    const { guard } = await guarded();
    const app = fastify();
    await expect(async () => app.register(agentAuth, { guard, ...(options as object) })).rejects.toThrow(message);
  });

  it('stops the start when all of app.use() would run before it [G3, G5]', async () => {
    const { guard } = await guarded();
    const app = fastify();
    await app.register(middie);
    await expect(async () => app.register(agentAuth, { guard })).rejects.toThrow(ConfigError);
    // An application that is a plugin itself, as fastify-cli and @fastify/autoload load it.
    const inner = fastify().register(async (part) => {
      await part.register(middie);
      await part.register(agentAuth, { guard });
    });
    await expect(async () => inner).rejects.toThrow(/before @fastify\/middie/);
  });

  it('stops the start when app.use() of an instance around it, or in an earlier plugin, would run before it [G3, G5]', async () => {
    const { guard } = await guarded();
    const around = fastify();
    await around.register(middie);
    await expect(async () => around.register(async (part) => void part.register(agentAuth, { guard }))).rejects.toThrow(
      /before @fastify\/middie/,
    );
    const app = fastify();
    app.register(async (part) => void part.register(async (inner) => void inner.register(middie)));
    await expect(async () => app.register(agentAuth, { guard })).rejects.toThrow(/before @fastify\/middie/);
  });

  it('runs before what app.use() mounts, if it was registered first [G3]', async () => {
    const mounted = vi.fn((_request: unknown, response: { end(): void }) => response.end());
    await using api = await Api.start(async (app) => {
      await app.register(middie);
      app.use('/mounted', mounted);
    });
    expect(codeOf(await send(api.url, unsigned({ target: '/mounted' })))).toBe('signature_required');
    expect(mounted).not.toHaveBeenCalled();
    expect((await api.call({ target: '/mounted' })).status).toBe(200);
    expect(await outcomeOf(api.guarded)).toMatchObject({ undecided: true });
  });

  it('may be registered within a plugin beside one with middleware, or before it [G3]', async () => {
    const { guard } = await guarded();
    const app = fastify();
    await app.register(async (part) => void part.register(middie));
    await app.register(async (part) => void part.register(agentAuth, { guard }));
    await app.register(middie);
    await app.ready();
    await app.close();
  });

  it('stops the start when it is registered twice [G5]', async () => {
    const { guard } = await guarded();
    const app = fastify();
    await app.register(agentAuth, { guard });
    await expect(async () => app.register(agentAuth, { guard })).rejects.toThrow('already');
  });
});
