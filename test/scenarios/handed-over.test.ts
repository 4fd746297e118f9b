import { agentAuth as forExpress, permit as expressPermit, Permit as ExpressPermit } from '@countersign/express';
import { agentAuth as forFastify, permit as fastifyPermit, Permit as FastifyPermit } from '@countersign/fastify';
import { agentAuth as forKoa, permit as koaPermit, Permit as KoaPermit } from '@countersign/koa';
import { guardMcpHttp } from '@countersign/mcp';
import { agentAuth as forNode, permit as nodePermit, Permit as NodePermit } from '@countersign/node-http';
import { Router } from '@koa/router';
import express5 from 'express';
import express4 from 'express4';
import { fastify } from 'fastify';
import Koa from 'koa';
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { describe, expect, it, vi } from 'vitest';
import { type Guarded, guarded, send, serve, signed, unsigned } from '../support/guarded.js';

const thing = { type: 'Thing', id: '1' };
const agentsOnly = { agentsOnly: true };

/** An application whose routes need permits, with a guard of its own or below that of another host only. */
type Inner = (parts: Guarded, hasOwnGuard: boolean, ran: (route: string) => void) => Promise<RequestListener>;

const expressInner =
  (express: typeof express5): Inner =>
  async ({ guard }, hasOwnGuard, ran) => {
    class Things {
      @ExpressPermit('forbidden', thing)
      remove(): void {
        ran('method');
      }
    }
    const app = express();
    if (hasOwnGuard) app.use(forExpress(guard));
    app.get('/denied', expressPermit('forbidden', thing), () => ran('denied'));
    app.get('/method', new Things().remove as express5.RequestHandler);
    app.get('/agents', expressPermit('read', thing, agentsOnly), (_req, res) => void res.end('agents'));
    app.get('/closed', () => ran('closed'));
    return app as RequestListener;
  };

const koaInner: Inner = async ({ guard }, hasOwnGuard, ran) => {
  class Things {
    @KoaPermit('forbidden', thing)
    remove(_ctx: Koa.Context): void {
      ran('method');
    }
  }
  const app = new Koa();
  if (hasOwnGuard) app.use(forKoa(guard));
  const router = new Router();
  router.get('/denied', koaPermit('forbidden', thing), () => ran('denied'));
  router.get('/method', new Things().remove);
  router.get('/agents', koaPermit('read', thing, agentsOnly), (ctx) => {
    ctx.body = 'agents';
  });
  router.get('/closed', () => ran('closed'));
  app.use(router.routes());
  return app.callback();
};

const nodeInner: Inner = async ({ guard }, hasOwnGuard, ran) => {
  class Things {
    @NodePermit('forbidden', thing)
    async remove(_request: IncomingMessage, _response: ServerResponse): Promise<void> {
      ran('method');
    }
  }
  const auth = forNode(guard);
  const denied = nodePermit('forbidden', thing);
  const agents = nodePermit('read', thing, agentsOnly);
  return async (request, response) => {
    if (hasOwnGuard && !(await auth(request, response))) return;
    if (request.url === '/method') return await new Things().remove(request, response);
    if (!(await (request.url === '/denied' ? denied : agents)(request, response))) return;
    if (request.url === '/denied') ran('denied');
    response.end('agents');
  };
};

const fastifyInner: Inner = async ({ guard }, hasOwnGuard, ran) => {
  class Things {
    @FastifyPermit('forbidden', thing)
    async remove(_request: object): Promise<void> {
      ran('method');
    }
  }
  const app = fastify();
  if (hasOwnGuard) await app.register(forFastify, { guard });
  app.get('/denied', fastifyPermit('forbidden', thing), async () => ran('denied'));
  app.get('/method', new Things().remove);
  app.get('/agents', fastifyPermit('read', thing, agentsOnly), async () => 'agents');
  app.get('/closed', async () => ran('closed'));
  await app.ready();
  return app.routing;
};

/** A request that an application gives back to the one around it. */
type Handed = IncomingMessage & { readonly handBack: () => void };

const inners: readonly (readonly [name: string, inner: Inner])[] = [
  ['express4', expressInner(express4 as unknown as typeof express5)],
  ['express5', expressInner(express5)],
  ['koa', koaInner],
  ['node-http', nodeInner],
  ['fastify', fastifyInner],
];

/** A host that admits requests, and hands their responses over to another application. */
type Outer = (parts: Guarded, inner: RequestListener) => Promise<RequestListener>;

const outers: readonly (readonly [name: string, outer: Outer])[] = [
  [
    'node-http',
    async ({ guard }, inner) => {
      const auth = forNode(guard);
      return async (request, response) => {
        if (await auth(request, response)) inner(request, response);
      };
    },
  ],
  ['express', async ({ guard }, inner) => express5().use(forExpress(guard), inner) as RequestListener],
  [
    'koa with ctx.respond = false',
    async ({ guard }, inner) => {
      const app = new Koa();
      app.use(forKoa(guard));
      app.use((ctx) => {
        ctx.respond = false;
        ctx.res.statusCode = 200;
        inner(ctx.req, ctx.res);
      });
      return app.callback();
    },
  ],
  [
    'koa that waits for the other',
    async ({ guard }, inner) => {
      const app = new Koa();
      app.use(forKoa(guard));
      app.use(async ({ req, res }) => {
        res.statusCode = 200;
        await new Promise((resolve) => {
          res.once('close', resolve);
          inner(req, res);
        });
      });
      return app.callback();
    },
  ],
  [
    'fastify with reply.hijack()',
    async ({ guard }, inner) => {
      const app = fastify();
      await app.register(forFastify, { guard });
      app.get('/*', fastifyPermit(false), (request, reply) => {
        reply.hijack();
        inner(request.raw, reply.raw);
      });
      await app.ready();
      return app.routing;
    },
  ],
];

const pairs = outers.flatMap(([outerName, outer]) =>
  inners.flatMap(([innerName, inner]) =>
    [true, false].map((own) => [innerName, own ? 'with' : 'without', outerName, { inner, own, outer }] as const),
  ),
);

describe.each(pairs)('%s %s a guard of its own below %s', (innerName, _with, _outer, { inner, own, outer }) => {
  const closes = own && innerName !== 'node-http';

  it.each(['/denied', '/method', ...(closes ? ['/closed'] : [])])('refuses an agent at %s [G7]', async (target) => {
    const parts = await guarded();
    const ran: string[] = [];
    await using server = await serve(await outer(parts, await inner(parts, own, (route) => ran.push(route))));
    const { status, headers, body } = await send(server.url, signed({ target }));
    const code = target === '/closed' ? 'route_unmapped' : 'policy_denied';
    expect([status, JSON.parse(body), ran]).toEqual([403, expect.objectContaining({ code }), []]);
    expect(headers['content-type']).toBe('application/problem+json');
  });

  it('refuses a person where only agents may come, and lets an agent in [G7]', async () => {
    const parts = await guarded({ traffic: 'mixed' });
    await using server = await serve(await outer(parts, await inner(parts, own, () => {})));
    expect(await send(server.url, unsigned({ target: '/agents' }))).toMatchObject({ status: 401 });
    expect(await send(server.url, signed({ target: '/agents' }))).toMatchObject({ status: 200, body: 'agents' });
  });
});

it.each(outers)('guardMcpHttp refuses a person below %s [G7]', async (_outer, outer) => {
  const parts = await guarded({ traffic: 'mixed' });
  await using server = await serve(await outer(parts, guardMcpHttp('http://127.0.0.1:1/mcp')));
  expect(await send(server.url, unsigned({ target: '/mcp' }))).toMatchObject({ status: 401 });
});

it('a permit of Koa refuses after a middleware of the same Koa has handed the response over [G7]', async () => {
  const { guard } = await guarded();
  const ran = vi.fn();
  const app = new Koa();
  app.use(forKoa(guard));
  app.use((ctx, next) => {
    ctx.respond = false;
    return next();
  });
  app.use(koaPermit('forbidden', thing));
  app.use(ran);
  await using server = await serve(app.callback());
  expect((await send(server.url, signed())).status).toBe(403);
  expect(ran).not.toHaveBeenCalled();
});

describe.each([
  ['express4', express4 as unknown as typeof express5],
  ['express5', express5],
])('%s, around an application that hands requests back', (_name, express) => {
  const handsBack: readonly (readonly [name: string, inner: (parts: Guarded) => Promise<RequestListener>])[] = [
    [
      'fastify after reply.hijack()',
      async ({ guard }) => {
        const app = fastify();
        await app.register(forFastify, { guard });
        app.setNotFoundHandler((request, reply) => {
          reply.hijack();
          (request.raw as Handed).handBack();
        });
        await app.ready();
        return app.routing;
      },
    ],
    [
      'koa that waits',
      async ({ guard }) => {
        const app = new Koa();
        app.use(forKoa(guard));
        app.use(async ({ req, res }) => {
          await new Promise((resolve) => {
            res.once('close', resolve);
            (req as Handed).handBack();
          });
        });
        return app.callback();
      },
    ],
  ];

  it.each(handsBack)('refuses an agent on a closed route by itself below %s [G7]', async (_inner, inner) => {
    const parts = await guarded();
    const listener = await inner(parts);
    const ran = vi.fn();
    const app = express().use(forExpress(parts.guard));
    app.use((request, response, next) => listener(Object.assign(request, { handBack: next }), response));
    app.get('/closed', ran);
    await using server = await serve(app as RequestListener);
    const { status, body } = await send(server.url, signed({ target: '/closed' }));
    expect([status, JSON.parse(body)]).toEqual([403, expect.objectContaining({ code: 'route_unmapped' })]);
    expect(ran).not.toHaveBeenCalled();
  });
});
