import { bodyParser } from '@koa/bodyparser';
import { Router, type RouterOptions } from '@koa/router';
import { ConfigError, type Guard, refusal, RefusalError } from '@countersign/core';
import type Koa from 'koa';
import mount from 'koa-mount';
import { EventEmitter, once } from 'node:events';
import { Readable } from 'node:stream';
import { describe, expect, it, vi } from 'vitest';
import { Connection } from '../../../test/support/connection.js';
import { agentId, guarded, host, outcomeOf, send, serve, signed, unsigned } from '../../../test/support/guarded.js';
import { sendHttp2, serveHttp2 } from '../../../test/support/http2.js';
import { serialized, tampered } from '../../../test/support/signed-request.js';
import {
  type AgentAuthOptions,
  type AgentState,
  agentAuth,
  getCaller,
  type KoaContext,
  permit,
  type RouteContext,
} from '../src/index.js';
import { Api, type App, codeOf, versions } from './support.js';

const json = { method: 'POST', body: '{"a":[1]}' };

function sayWho(app: App): void {
  app.use((ctx) => {
    ctx.body = ctx.state.caller?.actor.id ?? 'nobody';
  });
}

function echo(app: App): void {
  app.use(bodyParser()).use((ctx) => {
    ctx.body = ctx.request.body;
  });
}

/** A route with a permit and one without; the given middleware comes before both. */
function things(options: RouterOptions, ...before: ReturnType<typeof agentAuth>[]): Router<AgentState> {
  const router = new Router<AgentState>(options);
  if (before.length > 0) router.use(...before);
  return router.get('/things/:id', permit('thing.read', thingOf), sayId).get('/open/:id', sayId);
}

function sayId(ctx: RouteContext): void {
  ctx.body = ctx.params['id'];
}

const thingOf = ({ params }: RouteContext) => ({ type: 'Thing', id: params['id'] });

describe.each(versions)('agentAuth on %s', (_version, create) => {
  it('answers with the exact bytes of the refusal and runs no later middleware', async () => {
    const behind = vi.fn();
    await using api = await Api.start(create(), (app) => app.use(behind));
    const response = await send(api.url, unsigned());
    const rendered = api.guarded.guard.respond(refusal('signature_required'));
    expect(response).toMatchObject({ status: 401, body: rendered.body, headers: rendered.headers });
    expect(response.headers['content-length']).toBe(String(rendered.body.length));
    expect(behind).not.toHaveBeenCalled();
    expect(api.guarded.audit.records).toMatchObject([{ phase: 'authentication', code: 'signature_required' }]);
  });

  it('lets earlier middleware see the refusal and add to it', async () => {
    const seen: unknown[] = [];
    await using api = await Api.start(create(), sayWho, {
      before: (app) =>
        app.use(async (ctx, next) => {
          await next();
          seen.push(ctx.status);
          ctx.set('X-Request-Id', '1');
        }),
    });
    const response = await send(api.url, unsigned());
    expect(response).toMatchObject({ status: 401, headers: { 'x-request-id': '1' } });
    expect(codeOf(response)).toBe('signature_required');
    expect(seen).toEqual([401]);
  });

  it('passes a verified request on with its caller', async () => {
    await using api = await Api.start(create(), sayWho);
    expect(await api.call()).toMatchObject({ status: 200, body: agentId });
    expect(await outcomeOf(api.guarded)).toEqual({ result: 'finished', status: 200, undecided: true });
  });

  it('keeps an error for an agent from shared caches, unless the error says otherwise', async () => {
    await using api = await Api.start(create(), (app) =>
      app.use((ctx) => {
        if (ctx.path === '/text') throw 'no object';
        ctx.throw(410, 'gone', ctx.path === '/own' ? { headers: { 'cache-control': 'no-store', 'x-own': '1' } } : {});
      }),
    );
    expect(await api.call({ target: '/gone' })).toMatchObject({ status: 410, headers: { 'cache-control': 'private' } });
    const own = await api.call({ target: '/own' });
    expect(own.headers).toMatchObject({ 'cache-control': 'no-store', 'x-own': '1' });
    expect((await api.call({ target: '/text' })).status).toBe(500);
  });

  it('checks HEAD like GET, and refuses it without a body [D7]', async () => {
    const handler = vi.fn();
    await using api = await Api.start(create(), (app) => app.use(handler));
    expect((await api.call({ method: 'HEAD' })).status).toBe(404);
    expect(handler).toHaveBeenCalledTimes(1);
    expect(await send(api.url, unsigned({ method: 'HEAD' }))).toMatchObject({ status: 401, body: '' });
    expect(handler).toHaveBeenCalledTimes(1);
  });

  it('verifies an unknown URL before it answers 404', async () => {
    await using api = await Api.start(create(), () => {});
    expect(codeOf(await send(api.url, unsigned({ target: '/nowhere' })))).toBe('signature_required');
    expect((await api.call({ target: '/nowhere' })).status).toBe(404);
    expect(await outcomeOf(api.guarded)).toEqual({ result: 'finished', status: 404, undecided: true });
  });

  it('verifies the whole target under koa-mount and a router prefix [A13, G3]', async () => {
    const { guard } = await guarded();
    const router = new Router<AgentState>({ prefix: '/v1' });
    router.use(agentAuth(guard));
    router.get('/things/:id', permit(false), (ctx: RouteContext) => {
      ctx.body = `${ctx.params['id']} ${getCaller(ctx)?.actor.id}`;
    });
    const inner = create().use(router.routes());
    await using served = await serve(create().use(mount('/api', inner)).callback());
    expect((await send(served.url, signed({ target: '/api/v1/things/1?x=y' }))).body).toBe(`1 ${agentId}`);
    const moved = tampered(signed({ target: '/v1/things/1' }), { target: '/api/v1/things/1' });
    expect(codeOf(await send(served.url, moved))).toBe('signature_invalid');
  });

  it.each<[string, (guard: Guard) => Pick<App, 'callback'>]>([
    [
      'in an app of its own below koa-mount',
      (guard) => create().use(mount('/api', create().use(agentAuth(guard)).use(things({}).routes()))),
    ],
    [
      'on a router that minds case',
      (guard) => create().use(things({ prefix: '/api', sensitive: true }, agentAuth(guard)).routes()),
    ],
  ])('guards one part %s, for every spelling of its path [A13, G3]', async (_where, guardPart) => {
    const { guard } = await guarded();
    await using served = await serve(guardPart(guard).callback());
    expect((await send(served.url, signed({ target: '/api/things/1' }))).body).toBe('1');
    for (const target of [
      '/api/things/1',
      '/api/open/1',
      '/API/open/1',
      '//api/open/1',
      '/%61pi/open/1',
      '/Api/open/1',
    ])
      expect([401, 404]).toContain((await send(served.url, unsigned({ target }))).status);
  });

  // Their prefixes are case-sensitive and the routes behind them are not; hence the README's rule on where to put the guard.
  it.each<[string, (guard: Guard) => Pick<App, 'callback'>]>([
    [
      'koa-mount',
      (guard) =>
        create()
          .use(mount('/api', agentAuth(guard)))
          .use(things({ prefix: '/api' }).routes()),
    ],
    ['router.use', (guard) => create().use(things({ prefix: '/api' }, agentAuth(guard)).routes())],
  ])('permit refuses when %s bypasses the guard [A13, G3]', async (_where, guardPart) => {
    const { guard } = await guarded();
    await using served = await serve(guardPart(guard).callback());
    expect((await send(served.url, signed({ target: '/api/things/1' }))).body).toBe('1');
    expect((await send(served.url, unsigned({ target: '/API/open/1' }))).status).toBe(200);
    expect(codeOf(await send(served.url, unsigned({ target: '/API/things/1' })))).toBe('not_authenticated');
  });

  it('ignores X-Forwarded-* with app.proxy [A13, G3]', async () => {
    const app = create();
    app.proxy = true;
    await using api = await Api.start(app, sayWho);
    expect((await api.call({ fields: [['X-Forwarded-Host', 'evil.example']] })).body).toBe(agentId);
    const evil = await api.call({ host: 'evil.example', fields: [['X-Forwarded-Host', host]] });
    expect(codeOf(evil)).toBe('origin_mismatch');
  });

  it('verifies and refuses over HTTP/2 as over HTTP/1', async () => {
    const { guard } = await guarded();
    const app = create();
    app.use(agentAuth(guard));
    echo(app);
    await using served = await serveHttp2(app.callback());
    expect(JSON.parse((await sendHttp2(served.url, signed(json))).body)).toEqual({ a: [1] });
    const forged = tampered(signed(json), { body: Buffer.from('{"a":[2]}') });
    for (const [refused, code] of [
      [unsigned(), 'signature_required'],
      [forged, 'digest_mismatch'],
    ] as const) {
      expect(JSON.parse((await sendHttp2(served.url, refused)).body)).toMatchObject({ status: 401, code });
    }
  });

  it('passes an unmarked request on without a caller in mixed traffic, and refuses a broken mark', async () => {
    const parts = await guarded({ traffic: 'mixed' });
    await using api = await Api.start(create(), sayWho, { guarded: parts });
    expect((await send(api.url, unsigned())).body).toBe('nobody');
    expect((await api.call()).body).toBe(agentId);
    const broken = tampered(signed(), { fields: { Signature: 'sig=:AAAA:' } });
    expect(codeOf(await send(api.url, broken))).toBe('signature_invalid');
  });

  it('asks policy once about each request before later middleware with everyRequest [D8]', async () => {
    const behind = vi.fn();
    await using api = await Api.start(create(), (app) => app.use(behind), { auth: { everyRequest: true } });
    await api.call({ target: '/repos/acme?x=1' });
    expect(behind).toHaveBeenCalledTimes(1);
    expect(codeOf(await api.call({ target: '/forbidden', method: 'DELETE' }))).toBe('policy_denied');
    expect(behind).toHaveBeenCalledTimes(1);
    expect(api.guarded.queries).toMatchObject([
      { action: 'http.get', resource: { type: 'Path', id: '/repos/acme' } },
      { action: 'http.delete', resource: { type: 'Path', id: '/forbidden' } },
    ]);
  });
});

describe.each(versions)('bodies on %s', (_version, create) => {
  it('reach a later parser only when they are the signed ones [A4]', async () => {
    const parsed = vi.fn();
    await using api = await Api.start(create(), (app) => {
      app.use(async (ctx, next) => {
        ctx.req.on('data', parsed);
        await next();
      });
      echo(app);
    });
    const forged = tampered(signed(json), { body: Buffer.from('{"a":[2]}') });
    expect(codeOf(await send(api.url, forged))).toBe('digest_mismatch');
    expect(parsed).not.toHaveBeenCalled();
    expect(JSON.parse((await api.call(json)).body)).toEqual({ a: [1] });
    expect(parsed).toHaveBeenCalled();
  });

  it('are readable after an asynchronous middleware', async () => {
    await using api = await Api.start(create(), echo, {
      before: (app) =>
        app.use(async (_ctx, next) => {
          await new Promise(setImmediate);
          await next();
        }),
    });
    expect(JSON.parse((await api.call(json)).body)).toEqual({ a: [1] });
  });

  it('are readable as streams by a handler', async () => {
    await using api = await Api.start(create(), (app) =>
      app.use(async (ctx) => {
        let bytes = 0;
        for await (const chunk of ctx.req) bytes += (chunk as Buffer).length;
        ctx.body = { bytes };
      }),
    );
    const body = Buffer.alloc(300_000, 7);
    expect(JSON.parse((await api.call({ method: 'PUT', body })).body)).toEqual({ bytes: 300_000 });
  });

  it('leave the connection reusable when they are refused', async () => {
    await using api = await Api.start(create(), echo);
    const connection = await Connection.open(api.url);
    connection.write(serialized(tampered(signed(json), { body: Buffer.from('{"a":[2]}') })));
    expect((await connection.read()).status).toBe(401);
    connection.write(serialized(signed(json)));
    expect((await connection.read()).status).toBe(200);
    connection.destroy();
  });

  it('are refused before they arrive when they are too large [G4]', async () => {
    await using api = await Api.start(create(), echo, { guarded: await guarded({ maxBodyBytes: 10 }) });
    const connection = await Connection.open(api.url);
    connection.write(serialized(signed({ method: 'POST', body: 'x'.repeat(3_000_000) })));
    expect(codeOf(await connection.read())).toBe('body_too_large');
    connection.destroy();
  });

  it('are refused with a fault of the server, and recorded, when a parser comes first [G2]', async () => {
    const behind = vi.fn();
    await using api = await Api.start(create(), (app) => app.use(behind), { before: echoing });
    const response = await api.call(json);
    expect(response.status).toBe(500);
    expect(codeOf(response)).toBe('body_consumed');
    expect(behind).not.toHaveBeenCalled();
    expect(api.guarded.audit.records).toMatchObject([{ phase: 'authentication', code: 'body_consumed' }]);
  });
});

function echoing(app: App): void {
  app.use(bodyParser());
}

describe.each(versions)('ctx.state.caller and getCaller on %s', (_version, create) => {
  it('ignore an earlier value, and cannot be changed by a handler [G1]', async () => {
    const attempts: unknown[] = [];
    const attempt = (act: () => unknown) => {
      try {
        act();
      } catch (error) {
        attempts.push(error);
      }
    };
    await using api = await Api.start(
      create(),
      (app) =>
        app.use((ctx) => {
          const { state } = ctx as { state: { caller?: unknown } };
          attempt(() => (state.caller = { actor: { id: 'admin' } }));
          attempt(() => delete state.caller);
          attempt(() => Object.assign(ctx.state.caller?.actor ?? {}, { id: 'admin' }));
          ctx.body = [ctx.state.caller?.actor.id, getCaller(ctx)?.actor.id];
        }),
      {
        before: (app) =>
          app.use(async (ctx, next) => {
            expect(getCaller(ctx)).toBeUndefined();
            Object.assign(ctx.state, { caller: { actor: { id: 'admin' } } });
            await next();
          }),
      },
    );
    expect(JSON.parse((await api.call()).body)).toEqual([agentId, agentId]);
    expect(attempts).toEqual([expect.any(TypeError), expect.any(TypeError), expect.any(TypeError)]);
  });

  it('ignore an earlier value for an unmarked request in mixed traffic [G1]', async () => {
    await using api = await Api.start(create(), sayWho, {
      guarded: await guarded({ traffic: 'mixed' }),
      before: (app) =>
        app.use(async (ctx, next) => {
          Object.assign(ctx.state, { caller: { actor: { id: ctx.get('x-agent-id') } } });
          await next();
        }),
    });
    const request = unsigned({
      fields: [
        ['Host', host],
        ['X-Agent-Id', 'admin'],
      ],
    });
    expect((await send(api.url, request)).body).toBe('nobody');
  });
});

describe.each(versions)('outcomes on %s', (_version, create) => {
  it.each<[string, object, (app: App) => unknown]>([
    ['a handler that throws', { result: 'threw', status: 500, undecided: true }, (app) => app.use(fail)],
    [
      'a handler that throws with a status and exposes it',
      { result: 'finished', status: 409, undecided: true },
      (app) => app.use((ctx) => ctx.throw(409, 'taken', { expose: true })),
    ],
    [
      'a handler that answers by itself',
      { result: 'finished', status: 206, undecided: true },
      (app) =>
        app.use((ctx) => {
          ctx.respond = false;
          ctx.res.writeHead(206, { 'content-length': 1 }).end('x');
        }),
    ],
    [
      'a stream',
      { result: 'finished', status: 200, undecided: true },
      (app) =>
        app.use((ctx) => {
          ctx.body = Readable.from(['a', 'b']);
        }),
    ],
  ])('%s [F5, G3]', async (_title, outcome, define) => {
    await using api = await Api.start(create(), define);
    await api.call();
    expect(await outcomeOf(api.guarded)).toEqual(outcome);
  });

  it('record threw when an earlier middleware answers the error [F5]', async () => {
    await using api = await Api.start(create(), (app) => app.use(fail), {
      before: (app) =>
        app.use(async (ctx, next) => {
          await next().catch(() => {
            ctx.status = 418;
          });
        }),
    });
    expect((await api.call()).status).toBe(418);
    expect(await outcomeOf(api.guarded)).toEqual({ result: 'threw', status: 418, undecided: true });
  });

  it('record aborted when the client disconnects [F5]', async () => {
    const arrived = new EventEmitter();
    const arrival = once(arrived, 'request');
    await using api = await Api.start(create(), (app) =>
      app.use(async (ctx) => {
        arrived.emit('request');
        await once(ctx.res, 'close');
      }),
    );
    const connection = await Connection.open(api.url);
    connection.write(serialized(signed()));
    await arrival;
    connection.destroy();
    expect(await outcomeOf(api.guarded)).toEqual({ result: 'aborted', undecided: true });
  });
});

async function fail(): Promise<never> {
  throw new Error('secret');
}

describe.each(versions)("onRefusal: 'throw' on %s", (_version, create) => {
  it('throws the refusal to earlier middleware', async () => {
    const errors: unknown[] = [];
    await using api = await Api.start(create(), sayWho, {
      auth: { onRefusal: 'throw' },
      before: (app) =>
        app.use(async (ctx, next) => {
          await next().catch((error: unknown) => {
            errors.push(error);
            ctx.body = 'mine';
          });
        }),
    });
    expect((await send(api.url, unsigned())).body).toBe('mine');
    expect(errors).toEqual([expect.any(RefusalError)]);
    expect(errors).toMatchObject([{ code: 'signature_required', status: 401, expose: true }]);
  });

  it.each<[string, AgentAuthOptions, (ctx: Koa.Context, next: Koa.Next) => Promise<void>]>([
    [
      'that is caught',
      { onRefusal: 'throw' },
      async (ctx, next) => {
        await next().catch(() => {
          ctx.body = 'all the same';
        });
      },
    ],
    [
      'that is written over',
      {},
      async (ctx, next) => {
        await next();
        ctx.status = 200;
        ctx.body = 'all the same';
      },
    ],
  ])('records the answer that was sent for a refusal %s [F5]', async (_title, auth, middleware) => {
    const define = (app: App) => app.use(middleware).use(permit<KoaContext>('forbidden', { type: 'Thing', id: '1' }));
    await using api = await Api.start(create(), define, { auth });
    expect((await api.call()).body).toBe('all the same');
    expect(await outcomeOf(api.guarded)).toEqual({ result: 'finished', status: 200 });
    expect(api.guarded.audit.records.map(({ phase }) => phase)).toEqual(['decision', 'outcome']);
  });

  it('lets Koa answer HEAD on a server that rejects bytes in such an answer [F5]', async () => {
    const { guard } = await guarded();
    const app = create().use(agentAuth(guard, { onRefusal: 'throw' }));
    await using served = await serve(app.callback(), { rejectNonStandardBodyWrites: true });
    expect(await send(served.url, unsigned({ method: 'HEAD' }))).toMatchObject({ status: 401, body: '' });
  });

  it('lets Koa answer with status and challenge', async () => {
    await using api = await Api.start(create(), sayWho, { auth: { onRefusal: 'throw' } });
    expect(await send(api.url, unsigned())).toMatchObject({
      status: 401,
      body: 'A message signature is required.',
      headers: { 'www-authenticate': 'Signature error="signature_required"' },
    });
  });
});

describe('agentAuth, misused', () => {
  it.each<unknown>([undefined, null, {}])('throws when the guard is %o [G5]', (guard) => {
    expect(() => agentAuth(guard as Guard)).toThrow(ConfigError);
  });

  it('checks its options immediately [G5]', async () => {
    const { guard } = await guarded();
    expect(() => agentAuth(guard, { onRefusals: 'throw' } as object)).toThrow("Did you mean 'onRefusal'");
    expect(() => agentAuth(guard, { unmapped: 'open' as 'refuse' })).toThrow("'unmapped' must be 'refuse' or");
  });
});
