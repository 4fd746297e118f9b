import type { RequestListener } from 'node:http';
import { agentAuth as forExpress } from '@countersign/express';
import { agentAuth as forFastify, permit as fastifyPermit } from '@countersign/fastify';
import { agentAuth as forKoa, type KoaContext, type KoaMiddleware } from '@countersign/koa';
import { agentAuth as forNode } from '@countersign/node-http';
import express5 from 'express';
import express4 from 'express4';
import { fastify } from 'fastify';
import Koa3 from 'koa';
import mounted from 'koa-mount';
import Koa2 from 'koa2';
import { describe, expect, it, vi } from 'vitest';
import { type Guarded, guarded, send, serve, signed } from '../support/guarded.js';
import { sendHttp2, serveHttp2 } from '../support/http2.js';
import { patiently } from '../support/patiently.js';
import type { RawRequest } from '../support/signed-request.js';

/** An application with a guard first, whose handler answers every accepted request. */
type Guest = (parts: Guarded, ran: () => void) => RequestListener | Promise<RequestListener>;

const everyRequest = { everyRequest: true };
const koaGuest =
  (Koa: typeof Koa3): Guest =>
  ({ guard }, ran) => {
    const app = new Koa();
    app.use(forKoa(guard, everyRequest));
    app.use((ctx) => {
      ran();
      ctx.body = ctx.path;
    });
    return app.callback();
  };
const expressGuest =
  (express: typeof express5): Guest =>
  ({ guard }, ran) =>
    express()
      .use(forExpress(guard, everyRequest))
      .use((req, res) => {
        ran();
        res.end(req.path);
      }) as RequestListener;
const nodeGuest: Guest = ({ guard }, ran) => {
  const auth = forNode(guard, everyRequest);
  return async (request, response) => {
    if (!(await auth(request, response))) return;
    ran();
    response.end(request.url);
  };
};
const fastifyGuest: Guest = async ({ guard }, ran) => {
  const app = fastify();
  await app.register(forFastify, { guard, ...everyRequest });
  app.get('/*', fastifyPermit('read', { type: 'Path', id: 'any' }), async (request) => {
    ran();
    return request.url;
  });
  await app.ready();
  return app.routing;
};

const guests: readonly (readonly [string, Guest])[] = [
  ['koa2', koaGuest(Koa2)],
  ['koa3', koaGuest(Koa3)],
  ['express4', expressGuest(express4 as unknown as typeof express5)],
  ['express5', expressGuest(express5)],
  ['fastify5', fastifyGuest],
  ['node-http', nodeGuest],
];

/** Koa that passes everything below /admin to an application of another framework. */
function underKoaMount(guest: RequestListener, ...before: readonly KoaMiddleware<KoaContext>[]): RequestListener {
  const app = new Koa3();
  for (const middleware of before) app.use(middleware);
  app.use(
    mounted('/admin', (ctx) => {
      ctx.respond = false;
      // Koa begins with 404.
      ctx.res.statusCode = 200;
      guest(ctx.req, ctx.res);
    }),
  );
  return app.callback();
}

type Send = (request: RawRequest) => Promise<{ readonly status: number }>;

/** A signature for the whole target is accepted; one for the part below the mount is refused. */
async function bindsPrefix({ audit, queries }: Guarded, ran: readonly unknown[], sendTo: Send): Promise<void> {
  const whole = signed({ target: '/admin/reports' });
  expect(await sendTo(whole)).toMatchObject({ status: 200 });
  expect(queries[0]?.resource).toMatchObject({ type: 'Path', id: '/admin/reports' });
  expect(ran).toHaveLength(1);
  const outcomes = () => audit.records.filter(({ phase }) => phase === 'outcome').length;
  await vi.waitFor(() => expect(outcomes()).toBe(1), patiently);

  const before = audit.records.length;
  const moved = { ...signed({ target: '/reports' }), target: '/admin/reports' };
  expect(await sendTo(moved)).toMatchObject({ status: 401 });
  expect(ran).toHaveLength(1);
  expect(audit.records.slice(before)).toMatchObject([{ phase: 'authentication', code: 'signature_invalid' }]);
}

describe.each(guests)('The prefix of a mount around %s', (_name, guest) => {
  it.each([
    ['express4', express4 as unknown as typeof express5],
    ['express5', express5],
  ])('is bound under %s [H5]', async (_outer, express) => {
    const parts = await guarded();
    const ran: string[] = [];
    const inner = await guest(parts, () => ran.push('ran'));
    const app = express().use('/admin', (req, res) => inner(req, res));
    await using server = await serve(app);
    await bindsPrefix(parts, ran, (request) => send(server.url, request));
  });

  it('is bound under koa-mount when the guard of Koa comes first [H5]', async () => {
    const parts = await guarded();
    const ran: string[] = [];
    const inner = await guest(parts, () => ran.push('ran'));
    await using server = await serve(underKoaMount(inner, forKoa(parts.guard, everyRequest)));
    await bindsPrefix(parts, ran, (request) => send(server.url, request));
  });
});

it('The prefix of koa-mount around node:http is bound over HTTP/2, which keeps it [H5]', async () => {
  const parts = await guarded();
  const ran: string[] = [];
  const app = underKoaMount(await nodeGuest(parts, () => ran.push('ran')));
  await using server = await serveHttp2((request, response) =>
    app(...([request, response] as unknown as Parameters<RequestListener>)),
  );
  await bindsPrefix(parts, ran, (request) => sendHttp2(server.url, request));
});

it('The prefix is bound for Koa behind an Express mounted in the same Koa [H5]', async () => {
  const parts = await guarded();
  const ran: string[] = [];
  const app = new Koa3();
  // Express passes unknown routes on, and leaves its target on the request.
  app.use(
    mounted(
      '/admin',
      (ctx, next) =>
        new Promise<void>((resolve, reject) => {
          express5().get('/other', () => {})(ctx.req as never, ctx.res as never, (error?: unknown) =>
            error === undefined ? resolve(next()) : reject(error),
          );
        }),
    ),
  );
  app.use(forKoa(parts.guard, everyRequest));
  app.use((ctx) => {
    ran.push('ran');
    ctx.body = ctx.path;
  });
  await using server = await serve(app.callback());
  await bindsPrefix(parts, ran, (request) => send(server.url, request));
});
