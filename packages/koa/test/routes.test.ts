import { Router as Router15 } from '@koa/router';
import Router12 from '@koa/router12';
import mount from 'koa-mount';
import Router14 from 'koa-router14';
import Router7 from 'koa-router7';
import { beforeEach, describe, expect, it } from 'vitest';
import { guarded, send, serve, signed, unsigned } from '../../../test/support/guarded.js';
import { type AgentState, agentAuth, type KoaContext, Permit, permit, type RouteContext } from '../src/index.js';
import { Api, type App, codeOf, versions } from './support.js';

type Router = Router15<AgentState>;
type RouterClass = new (options?: { prefix?: string }) => Router;

const routers: readonly (readonly [name: string, Router: RouterClass])[] = [
  ['koa-router 7', Router7],
  ['@koa/router 12', Router12],
  ['koa-router 14', Router14],
  ['@koa/router 15', Router15],
];
const all = versions.flatMap(([koa, create]) =>
  routers.map(([name, Router]) => [`${name}, ${koa}`, create, Router] as const),
);

const thing = { type: 'Thing', id: '1' };
const ran: string[] = [];
beforeEach(() => void ran.splice(0));

function handler(name: string): (ctx: RouteContext) => void {
  return (ctx) => {
    ran.push(name);
    ctx.status = 200;
    ctx.body = name;
  };
}

function passing(name: string) {
  return async (_ctx: unknown, next: () => Promise<unknown>): Promise<void> => {
    ran.push(name);
    await next();
  };
}

async function overrideMethod(ctx: KoaContext & { method: string }, next: () => Promise<unknown>): Promise<void> {
  ctx.method = new URLSearchParams(ctx.originalUrl.split('?')[1]).get('_method') ?? ctx.method;
  await next();
}

class Things {
  @Permit('thing.read', thing)
  async read(ctx: RouteContext): Promise<void> {
    handler('read')(ctx);
  }
}

/** Like OpenTelemetry's instrumentation of Koa: wraps every layer of a router. */
function instrumented(router: Router): Router {
  for (const { stack } of router.stack) {
    for (const [index, middleware] of stack.entries()) {
      const patched = { [Symbol('koa-layer-patched')]: true };
      const [symbol] = Object.getOwnPropertySymbols(patched) as [symbol];
      const proxied = middleware as unknown as Record<symbol, unknown>;
      if (proxied[symbol] !== true) stack[index] = ((ctx, next) => middleware(ctx, next)) as typeof middleware;
    }
  }
  return router;
}

/** What an application may hand to a router in place of its context. */
const derivations: readonly (readonly [name: string, derive: (ctx: KoaContext) => KoaContext])[] = [
  ['an object that inherits from it', (ctx) => Object.create(ctx) as KoaContext],
  ['a proxy of it', (ctx) => new Proxy(ctx, {})],
  ['one with a proxy of the request', (ctx) => Object.assign(ctx, { req: new Proxy(ctx.req, {}) })],
  [
    'an object that inherits from it, with such a request',
    (ctx) => Object.create(ctx, { req: { value: Object.create(ctx.req) as unknown } }) as KoaContext,
  ],
];

async function expectClosed(api: Api, target: string, method = 'GET'): Promise<void> {
  const response = await api.call({ target, method });
  expect(response.status).toBe(403);
  if (method !== 'HEAD') expect(codeOf(response)).toBe('route_unmapped');
  expect(ran).toEqual([]);
}

describe.each(all)('routes of %s', (_name, create, Router) => {
  async function api(define: (router: Router, app: App) => unknown): Promise<Api> {
    return await Api.start(create(), (app) => {
      const router = new Router();
      define(router, app);
      app.use(router.routes());
    });
  }

  it('without a permit are closed to agents, also for HEAD and when added later, and open to people [D8, G3]', async () => {
    const parts = await guarded({ traffic: 'mixed' });
    const router = new Router();
    router.get('/open', handler('open'));
    await using started = await Api.start(create(), (app) => app.use(router.routes()), { guarded: parts });
    await expectClosed(started, '/open');
    await expectClosed(started, '/open', 'HEAD');
    router.all('/late', handler('late'));
    await expectClosed(started, '/late', 'PUT');
    expect((await send(started.url, unsigned({ target: '/open' }))).body).toBe('open');
    expect(parts.audit.records.filter(({ code }) => code === 'route_unmapped')).toHaveLength(3);
  });

  it('are open when a permit is in the route', async () => {
    await using started = await api((router) => {
      router.get('/permit', permit('thing.read', thing), handler('permit'));
      router.get('/exempt', permit(false), handler('exempt'));
      router.get('/method', new Things().read.bind(new Things()));
    });
    for (const target of ['/permit', '/exempt', '/method']) {
      expect((await started.call({ target })).status, target).toBe(200);
    }
    expect(ran).toEqual(['permit', 'exempt', 'read']);
  });

  it('are closed below a route whose handler calls a permit [D8]', async () => {
    const second = new Router();
    second.get('/things', handler('second'));
    await using started = await api((router, app) => {
      const inner = permit('thing.read', thing);
      router.get('/things', permit('thing.read', thing), async (ctx, next) => await inner(ctx, next), passing('first'));
      app.use(router.routes()).use(second.routes());
    });
    const response = await started.call({ target: '/things' });
    expect([response.status, codeOf(response)]).toEqual([403, 'route_unmapped']);
    expect(ran).toEqual(['first']);
  });

  it('run no router.param() handler when they are closed [D12]', async () => {
    await using started = await api((router) => {
      router.param('id', async (id, _ctx, next) => {
        ran.push(id);
        await next();
      });
      router.get('/things/:id', handler('thing'));
    });
    await expectClosed(started, '/things/1');
  });

  it('stay closed when the application puts other handlers in place of theirs, or adds a router.param() [D8, D12]', async () => {
    let router: Router | undefined;
    await using started = await api((defined) => {
      router = defined;
      defined.get('/things/:id', handler('thing'));
    });
    await expectClosed(started, '/things/1');
    const stack = router?.stack[0]?.stack ?? [];
    stack.splice(0, stack.length, handler('new') as never);
    await expectClosed(started, '/things/1');
    router?.param('id', async (id, _ctx, next) => {
      ran.push(id);
      await next();
    });
    await expectClosed(started, '/things/1');
    const { length } = stack;
    await expectClosed(started, '/things/1');
    expect(stack).toHaveLength(length);
  });

  it('are mapped in nested and prefixed routers, and under koa-mount', async () => {
    await using started = await api((router, app) => {
      const nested = new Router({ prefix: '/v1' });
      nested.get('/open', handler('open'));
      nested.get('/permit', permit('thing.read', thing), handler('permit'));
      router.use('/nested', nested.routes());
      const below = new Router();
      below.get('/open', handler('open'));
      app.use(mount('/mounted', below.routes()));
    });
    await expectClosed(started, '/nested/v1/open');
    await expectClosed(started, '/mounted/open');
    expect((await started.call({ target: '/nested/v1/permit' })).body).toBe('permit');
  });

  it('stay closed when another matching route has a permit [J4]', async () => {
    await using started = await api((router) => {
      router.get('/x', permit('thing.read', thing), passing('first'));
      router.get('/:any', handler('second'));
    });
    expect(codeOf(await started.call({ target: '/x' }))).toBe('route_unmapped');
    expect(ran).toEqual(['first']);
  });

  it('are mapped when agentAuth is in the router or in the route itself [G3]', async () => {
    const { guard } = await guarded();
    const router = new Router();
    router.get('/in/open', agentAuth(guard), handler('open'));
    router.get('/in/permit', agentAuth(guard), permit<KoaContext>('thing.read', thing), handler('permit'));
    router.use('/used', agentAuth(guard));
    router.get('/used/open', handler('open'));
    router.get('/used/permit', permit('thing.read', thing), handler('permit'));
    await using served = await serve(create().use(router.routes()).callback());
    for (const part of ['/in', '/used', '/in', '/used']) {
      expect(codeOf(await send(served.url, signed({ target: `${part}/open` })))).toBe('route_unmapped');
      expect((await send(served.url, signed({ target: `${part}/permit` }))).body).toBe('permit');
    }
    expect(ran).toEqual(['permit', 'permit', 'permit', 'permit']);
  });

  it('stay mapped and closed when OpenTelemetry instruments them', async () => {
    await using started = await api((router) => {
      const { read } = new Things();
      router.get('/permit', permit('thing.read', thing), handler('permit'));
      router.get('/method', read.bind(undefined));
      router.get('/open', handler('open'));
      instrumented(router);
    });
    expect((await started.call({ target: '/permit' })).body).toBe('permit');
    expect((await started.call({ target: '/method' })).body).toBe('read');
    ran.splice(0);
    await expectClosed(started, '/open');
  });

  it.each(derivations)('are closed when the router gets %s in place of the context [D8, J4]', async (_how, derive) => {
    await using started = await Api.start(create(), (app) => {
      const router = new Router();
      router.get('/open', handler('open')).get('/permit', permit('thing.read', thing), handler('permit'));
      const routes = router.routes() as unknown as (ctx: KoaContext, next: () => Promise<unknown>) => Promise<unknown>;
      app.use((ctx, next) => routes(derive(ctx), next));
    });
    await expectClosed(started, '/open');
    expect([200, 500]).toContain((await started.call({ target: '/permit' })).status);
  });

  it("are open to agents with unmapped: 'authenticated'", async () => {
    const router = new Router();
    router.get('/open', handler('open'));
    const auth = { unmapped: 'authenticated' } as const;
    await using started = await Api.start(create(), (app) => app.use(router.routes()), { auth });
    expect((await started.call({ target: '/open' })).body).toBe('open');
  });

  it.each(['refuse', 'authenticated'] as const)(
    'are not covered by the coarse decision once the method is another, unmapped: %s [D7]',
    async (unmapped) => {
      const router = new Router();
      router.post('/thing', handler('post'));
      router.delete('/thing', handler('delete'));
      router.delete('/permit', permit('thing.read', thing), handler('permit'));
      const auth = { everyRequest: true, unmapped };
      await using started = await Api.start(create(), (app) => app.use(overrideMethod).use(router.routes()), { auth });
      expect((await started.call({ method: 'POST', target: '/thing' })).body).toBe('post');
      expect(codeOf(await started.call({ method: 'POST', target: '/thing?_method=DELETE' }))).toBe('route_unmapped');
      expect((await started.call({ method: 'POST', target: '/permit?_method=DELETE' })).body).toBe('permit');
      expect(ran).toEqual(['post', 'permit']);
    },
  );
});
