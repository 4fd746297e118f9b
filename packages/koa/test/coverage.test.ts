import { Router as Router15 } from '@koa/router';
import Router12 from '@koa/router12';
import mount from 'koa-mount';
import Router14 from 'koa-router14';
import Router7 from 'koa-router7';
import { beforeEach, describe, expect, it } from 'vitest';
import { Connection } from '../../../test/support/connection.js';
import { guarded, send, serve, signed } from '../../../test/support/guarded.js';
import { serialized } from '../../../test/support/signed-request.js';
import { type AgentState, agentAuth, type KoaContext, type KoaMiddleware, permit } from '../src/index.js';
import { Api, type App, codeOf, versions } from './support.js';

type Router = Router15<AgentState>;
type RouterClass = new (options?: { prefix?: string }) => Router;
type Next = () => Promise<unknown>;

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
const permits = [
  ['permit', () => permit<KoaContext>('thing.read', thing)],
  ['permit(false)', () => permit(false)],
] as const;

const ran: string[] = [];
beforeEach(() => void ran.splice(0));

function handler(name: string): (ctx: KoaContext) => void {
  return (ctx) => {
    ran.push(name);
    ctx.status = 200;
    ctx.body = name;
  };
}

const pass = async (_ctx: unknown, next: Next): Promise<unknown> => await next();

/** Like koa-compose. */
function composed(...parts: readonly KoaMiddleware<KoaContext>[]): KoaMiddleware<KoaContext> {
  return async (ctx, next) => {
    const run = async (at: number): Promise<unknown> => await (parts[at]?.(ctx, () => run(at + 1)) ?? next());
    await run(0);
  };
}

async function expectClosed(url: string, ...targets: readonly string[]): Promise<void> {
  for (const target of targets) {
    const response = await send(url, signed({ target }));
    expect([response.status, codeOf(response)], target).toEqual([403, 'route_unmapped']);
  }
  expect(ran).toEqual([]);
}

describe.each(all)('on %s', (_name, create, Router) => {
  function routerWith(path: string, define: (router: Router) => unknown = () => {}): Router {
    const router = new Router();
    define(router);
    router.get(path, handler(path));
    return router;
  }

  describe.each(permits)('a %s', (_permit, make) => {
    it('in the use of a router opens no route, of this router or of a later one [D8, G3]', async () => {
      const users = routerWith('/users', (router) => router.use(make()).get('/both', pass));
      await using api = await Api.start(create(), (app) =>
        app.use(users.routes()).use(routerWith('/both').routes()).use(routerWith('/secrets').routes()),
      );
      await expectClosed(api.url, '/users', '/both', '/secrets');
    });

    it('in the use of a nested router opens no route beside it [D8, G3]', async () => {
      const users = routerWith('/users', (router) => router.use(make()));
      const around = new Router({ prefix: '/api' });
      around.use(users.routes()).use(routerWith('/secrets').routes());
      const below = new Router();
      below.use('/below', users.routes()).use('/below', routerWith('/secrets').routes());
      await using api = await Api.start(create(), (app) => app.use(around.routes()).use(below.routes()));
      await expectClosed(api.url, '/api/secrets', '/below/secrets');
    });

    it('in a mounted app or in koa-compose opens no route that follows [D8, G3]', async () => {
      const mounted = (): App => {
        const app = create();
        app.use(make());
        app.use(routerWith('/health').routes());
        return app;
      };
      await using api = await Api.start(create(), (app) => {
        app.use(mount(mounted())).use(mount('/api', mounted())).use(composed(make()));
        app.use(mount('/api', create().use(routerWith('/secrets').routes()))).use(routerWith('/secrets').routes());
      });
      await expectClosed(api.url, '/secrets', '/api/secrets');
    });

    it('in the use of the app opens all routes below, in routers and mounted apps', async () => {
      await using api = await Api.start(create(), (app) => {
        app.use(routerWith('/before').routes()).use(make()).use(routerWith('/x').routes());
        app.use(mount('/api', create().use(routerWith('/y').routes())));
      });
      await expectClosed(api.url, '/before');
      for (const target of ['/x', '/api/y']) expect((await api.call({ target })).status, target).toBe(200);
      expect(ran).toEqual(['/x', '/y']);
    });
  });

  it('agentAuth in a router closes an unmapped route to requests that came before it was closed [D8, G3]', async () => {
    const { guard } = await guarded();
    const router = new Router().use(agentAuth(guard)).post('/secrets', handler('secrets'));
    await using served = await serve(create().use(router.routes()).callback());
    const early = await Connection.open(served.url);
    const bytes = serialized(signed({ target: '/secrets', method: 'POST', body: '{"all":true}' }));
    early.write(bytes.subarray(0, -1));
    const responses = await Promise.all(
      Array.from({ length: 4 }, () => send(served.url, signed({ target: '/secrets', method: 'POST' }))),
    );
    early.write(bytes.subarray(-1));
    responses.push(await early.read());
    early.destroy();
    expect(responses.map(codeOf)).toEqual(Array.from({ length: 5 }, () => 'route_unmapped'));
    expect(ran).toEqual([]);
  });

  it('agentAuth that is wrapped within a router closes its unmapped routes [D8, G3]', async () => {
    const { guard } = await guarded();
    const auth = agentAuth(guard);
    const called = (ctx: KoaContext, next: () => Promise<unknown>): Promise<void> => auth(ctx, next);
    const app = create();
    for (const [path, wrapped] of [
      ['/composed', composed(auth, pass as KoaMiddleware<KoaContext>)],
      ['/called', called],
    ] as const) {
      const router = new Router({ prefix: path }).use(wrapped).get('/x', handler('x'));
      app.use(router.get('/permit', permit('thing.read', thing), handler('permit')).routes());
      app.use(new Router().get(`${path}/route`, wrapped, handler('route')).routes());
    }
    await using served = await serve(app.callback());
    await expectClosed(served.url, '/composed/x', '/called/x', '/composed/route', '/called/route');
    for (const target of ['/composed/permit', '/called/permit']) {
      expect((await send(served.url, signed({ target }))).body).toBe('permit');
    }
  });

  it('agentAuth of the app closes nothing because of a route that ran before it', async () => {
    const { guard } = await guarded();
    const before = new Router().get('/x', pass);
    const auth = agentAuth(guard);
    const after = new Router().get('/x', permit('thing.read', thing), handler('x'));
    await using served = await serve(create().use(before.routes()).use(auth).use(after.routes()).callback());
    expect((await send(served.url, signed({ target: '/x' }))).body).toBe('x');
  });
});
