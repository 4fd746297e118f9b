import express5, { type Express, type NextFunction, type Request, type Response, type Router } from 'express';
import express4 from 'express4';
import { beforeEach, describe, expect, it } from 'vitest';
import type { RawResponse } from '../../../test/support/connection.js';
import { guarded, host, send, serve, signed } from '../../../test/support/guarded.js';
import { agentAuth, permit } from '../src/index.js';

const versions: readonly (readonly [name: string, express: typeof express5])[] = [
  ['Express 5', express5],
  ['Express 4', express4 as unknown as typeof express5],
];

const thing = { type: 'Thing', id: '1' };
const permits = [
  ['permit', () => permit('thing.read', thing)],
  ['permit(false)', () => permit(false)],
] as const;

const ran: string[] = [];
beforeEach(() => void ran.splice(0));

function handler(name: string) {
  return (_req: Request, res: Response): void => {
    ran.push(name);
    res.send(name);
  };
}

const reading = (req: Request, _res: Response, next: NextFunction): void => {
  expect(req.next).toBeTypeOf('function');
  expect({ ...req }.baseUrl).toBe('/api');
  next();
};

const wrapping = (req: Request, _res: Response, next: NextFunction): void => {
  const { next: own } = req;
  req.next = (error?: unknown) => own?.(error);
  next();
};

const goOn = (_error: unknown, _req: Request, _res: Response, next: NextFunction): void => next();

function codeOf({ body, headers }: RawResponse): string | undefined {
  if (headers['content-type'] !== 'application/problem+json') return undefined;
  return (JSON.parse(body) as { code: string }).code;
}

describe.each(versions)('on %s', (_version, express) => {
  async function api(define: (app: Express) => unknown, auth?: Parameters<typeof agentAuth>[1]) {
    const parts = await guarded();
    const app = express();
    app.use(agentAuth(parts.guard, auth));
    define(app);
    const served = await serve(app);
    async function expectClosed(...targets: readonly string[]): Promise<void> {
      ran.splice(0);
      for (const target of targets) {
        const response = await send(served.url, signed({ target }));
        expect([response.status, codeOf(response)], target).toEqual([403, 'route_unmapped']);
      }
      expect(ran).toEqual([]);
    }
    async function expectOpen(...targets: readonly string[]): Promise<void> {
      for (const target of targets) expect((await send(served.url, signed({ target }))).body, target).toBe('inside');
    }
    return { ...parts, ...served, expectClosed, expectOpen };
  }

  function secrets(): Router {
    return express.Router().get('/secrets', handler('secrets'));
  }

  describe.each(permits)('a %s in the use of a router', (_permit, make) => {
    const users = (): Router => express.Router().use(make()).get('/users', handler('inside'));

    it('opens no route of a router that follows, on the same path or without one [D8, G3]', async () => {
      await using server = await api((app) => {
        app.use('/api', users()).use('/api', secrets());
        app.use(users()).use(secrets());
      });
      await server.expectOpen('/api/users', '/users');
      await server.expectClosed('/api/secrets', '/secrets');
      expect(server.audit.records.filter(({ code }) => code === 'route_unmapped')).toHaveLength(2);
    });

    it('opens no later route of the router or app around it, and all below it [D8, G3]', async () => {
      await using server = await api((app) => {
        const deep = express.Router().use('/in', express.Router().get('/side', handler('inside')));
        const inner = express
          .Router()
          .use(make())
          .use('/deep', deep, express().get('/app', handler('inside')));
        inner.get('/after', handler('inside'));
        app.use('/api', express.Router().use(inner).use(secrets()));
        app.get('/api/late', handler('late'));
      });
      await server.expectOpen('/api/deep/in/side', '/api/deep/app', '/api/after');
      await server.expectClosed('/api/secrets', '/api/late');
    });

    it('opens the routes of its router wherever this is mounted, and no others [D8, G3]', async () => {
      await using server = await api((app) => {
        const router = users();
        app.use('/a', router).use('/b', router, secrets());
        app.use('/c', (req, res, next) => router(req, res, next), secrets());
      });
      await server.expectOpen('/a/users', '/b/users', '/c/users');
      await server.expectClosed('/b/secrets', '/c/secrets');
    });

    it('of a mounted app opens no route outside this app [D8, G3]', async () => {
      await using server = await api((app) => {
        const mounted = express().use(make()).get('/users', handler('inside'));
        app.use('/api', mounted, secrets());
        app.use('/none', express().use(make(), express.Router().get('/x', handler('inside'))), secrets());
      });
      await server.expectOpen('/api/users', '/none/x');
      await server.expectClosed('/api/secrets', '/none/secrets');
    });

    it('opens nothing after an error or next("router") has left its router [D8, G3]', async () => {
      await using server = await api((app) => {
        const failing = users().use('/secrets', (_req, _res, next) => next(new Error('test')));
        const leaving = users().use('/secrets', (_req, _res, next) => next('router'));
        app.use('/error', failing, goOn, secrets());
        app.use('/left', leaving, secrets());
      });
      await server.expectOpen('/error/users', '/left/users');
      await server.expectClosed('/error/secrets', '/left/secrets');
    });

    it('opens nothing after its router has been left, also if a handler has read req.next [D8, G3]', async () => {
      await using server = await api((app) => {
        app.use('/api', express.Router().use(make(), reading), secrets());
        app.use('/api', express.Router().use(reading, make(), reading), reading, secrets());
      });
      await server.expectClosed('/api/secrets');
    });

    it('opens nothing after its router has been left, also if middleware has wrapped req.next [D8, G3]', async () => {
      await using server = await api((app) => {
        app.use('/api', express.Router().use(make(), wrapping).get('/users', handler('inside')), secrets());
        app.use('/around', express.Router().use(wrapping, make()).get('/users', handler('inside')), secrets());
        const inner = express.Router().use(wrapping, express.Router().use(make(), wrapping), secrets());
        app.use('/inner', inner, secrets());
      });
      await server.expectOpen('/api/users', '/around/users');
      await server.expectClosed('/api/secrets', '/around/secrets', '/inner/secrets');
    });

    it('opens nothing outside a router that agentAuth is in, too [D8, G3]', async () => {
      const { guard } = await guarded();
      const inner = express.Router().use(agentAuth(guard), make()).get('/users', handler('inside'));
      inner.use('/deep', express.Router().get('/x', handler('inside')));
      const app = express().use('/api', inner, secrets());
      await using served = await serve(app);
      for (const target of ['/api/users', '/api/deep/x']) {
        expect((await send(served.url, signed({ target }))).body).toBe('inside');
      }
      expect(codeOf(await send(served.url, signed({ target: '/api/secrets' })))).toBe('route_unmapped');
      expect(ran).toEqual(['inside', 'inside']);
    });
  });

  it('permits of routers within each other open what is below the outer one', async () => {
    await using server = await api((app) => {
      const inner = express.Router().use(permit(false)).get('/inner', handler('inside'));
      const outer = express.Router().use(permit('thing.read', thing)).use(inner).get('/outer', handler('inside'));
      app.use('/api', outer, secrets());
    });
    await server.expectOpen('/api/inner', '/api/outer');
    await server.expectClosed('/api/secrets');
  });

  it('a permit of the app opens everything below it, before a router and in one [G3]', async () => {
    await using server = await api((app) => {
      app.use('/p', permit('thing.read', thing), express.Router().get('/x', handler('inside')));
      app.use('/p', express.Router().use('/y', express.Router().get('/z', handler('inside'))));
      app.use('/q', secrets());
      app.use(permit('thing.read', thing)).use('/all', express.Router().get('/x', handler('inside')));
    });
    await server.expectOpen('/p/x', '/p/y/z', '/all/x');
    await server.expectClosed('/q/secrets');
  });

  it('a permit(false) of a router that was left admits no handler behind it without a trace [D8]', async () => {
    await using server = await api((app) => {
      app.use(express.Router().use(permit(false)).get('/health', handler('health')));
      app.use('/static', handler('static'));
    });
    await send(server.url, signed({ target: '/health' }));
    await send(server.url, signed({ target: '/static' }));
    const finished = { result: 'finished', status: 200 };
    await expect
      .poll(() => server.audit.records.filter(({ phase }) => phase === 'outcome').map(({ outcome }) => outcome))
      .toEqual([finished, { ...finished, undecided: true }]);
  });

  it('agentAuth that another handler calls within a route closes this route [D8, G3]', async () => {
    const { guard } = await guarded();
    const auth = agentAuth(guard);
    const wrapped = (req: Request, res: Response, next: NextFunction): void => auth(req, res, next);
    const app = express();
    app.get('/open', wrapped, handler('open'));
    app.get('/covered', wrapped, (req, res, next) => permit(false)(req, res, next), handler('covered'));
    app.get('/mapped', wrapped, permit('thing.read', thing), handler('mapped'));
    app.get(/^\/passed/, (_req, _res, next) => next());
    app.use(wrapped).get('/passed', permit('thing.read', thing), handler('passed'));
    await using served = await serve(app);
    for (const target of ['/open', '/covered']) {
      expect(codeOf(await send(served.url, signed({ target }))), target).toBe('route_unmapped');
    }
    for (const target of ['/mapped', '/passed']) {
      expect((await send(served.url, signed({ target }))).status, target).toBe(200);
    }
    expect(ran).toEqual(['mapped', 'passed']);
  });

  it('a refusal stays final if a second agentAuth with everyRequest follows [D8, J4]', async () => {
    const { guard } = await guarded();
    const app = express();
    app.use(agentAuth(guard, { everyRequest: true, onRefusal: 'throw' }), goOn);
    app.use(express.Router().use(agentAuth(guard, { everyRequest: true }), handler('router')));
    app.use(handler('app'));
    await using served = await serve(app);
    const response = await send(served.url, signed({ target: '/forbidden' }));
    expect([response.status, codeOf(response)]).toEqual([403, 'policy_denied']);
    expect((await send(served.url, signed({ target: '/x', host }))).body).toBe('router');
    expect(ran).toEqual(['router']);
  });
});
