import express5, {
  type ErrorRequestHandler,
  type Express,
  type NextFunction,
  type Request,
  type RequestHandler,
  type Response,
} from 'express';
import express4 from 'express4';
import { beforeEach, describe, expect, it } from 'vitest';
import { deferred } from '../../../test/support/deferred.js';
import { guarded, host, send, serve, signed, unsigned } from '../../../test/support/guarded.js';
import { agentAuth, Permit, permit } from '../src/index.js';
import type { RawResponse } from '../../../test/support/connection.js';

const versions: readonly (readonly [name: string, express: typeof express5])[] = [
  ['Express 5', express5],
  ['Express 4', express4 as unknown as typeof express5],
];

const thing = { type: 'Thing', id: '1' };
const ran: string[] = [];
beforeEach(() => void ran.splice(0));

function handler(name: string) {
  return (_req: Request, res: Response): void => {
    ran.push(name);
    res.send(name);
  };
}

function passing(name: string, how?: 'route') {
  return (_req: Request, _res: Response, next: NextFunction): void => {
    ran.push(name);
    if (how === undefined) next();
    else next(how);
  };
}

/** Like the package method-override. */
function overrideMethod(req: Request, _res: Response, next: NextFunction): void {
  const asked = new URLSearchParams(req.url.split('?')[1]).get('_method') ?? req.get('x-http-method-override');
  req.method = asked ?? req.method;
  next();
}

const goOn = (_error: unknown, _req: Request, _res: Response, next: NextFunction): void => next();

class Things {
  @Permit('thing.read', thing)
  async read(req: Request, res: Response): Promise<void> {
    handler('read')(req, res);
  }

  @Permit('thing.read', thing)
  async fail(_req: Request, _res: Response, _next: NextFunction): Promise<void> {
    throw new Error('no such thing');
  }
}

function codeOf({ body, headers }: RawResponse): string | undefined {
  if (headers['content-type'] !== 'application/problem+json') return undefined;
  return (JSON.parse(body) as { code: string }).code;
}

/** Like express-async-errors: wraps a handler and copies its enumerable string keys. */
function wrapped<Handler extends (...args: never[]) => unknown>(inner: Handler): Handler {
  const outer = ((...args: Parameters<Handler>) => inner(...args)) as Handler;
  Object.defineProperty(outer, 'length', { value: inner.length });
  return Object.assign(outer, Object.fromEntries(Object.entries(inner)));
}

const derivations: readonly (readonly [name: string, derive: <Of extends object>(of: Of) => Of])[] = [
  ['an object that inherits from it', (of) => Object.create(of) as typeof of],
  ['a proxy of it', (of) => new Proxy(of, {})],
  [
    'a proxy that shows no symbol',
    (of) => new Proxy({} as typeof of, { get: shown(of), set: (_target, key, value) => Reflect.set(of, key, value) }),
  ],
];

function shown<Of extends object>(of: Of) {
  return (_target: Of, key: string | symbol): unknown => {
    if (typeof key === 'symbol') return undefined;
    const value: unknown = Reflect.get(of, key);
    return typeof value === 'function' ? (value.bind(of) as unknown) : value;
  };
}

async function expectClosed({ url }: { readonly url: string }, target: string, method = 'GET'): Promise<void> {
  const response = await send(url, signed({ target, method }));
  expect(response.status, target).toBe(403);
  if (method !== 'HEAD') expect(codeOf(response)).toBe('route_unmapped');
  expect(ran).toEqual([]);
}

const fails: RequestHandler = (_req, _res, next) => next(new Error('too large'));
const goesOn: ErrorRequestHandler = (_error, _req, _res, next) => next();
const answers: ErrorRequestHandler = (_error, _req, res, _next) => void res.status(413).end();

describe.each(versions)('routes of %s', (_version, express) => {
  async function api(define: (app: Express) => unknown, options?: Parameters<typeof guarded>[0]) {
    const parts = await guarded(options);
    const app = express();
    app.use(agentAuth(parts.guard));
    define(app);
    const served = await serve(app);
    return { ...parts, url: served.url, [Symbol.asyncDispose]: () => served[Symbol.asyncDispose]() };
  }

  it('without a permit are closed to agents, also for HEAD and when added later, and open to people [D8, G3]', async () => {
    let app: Express | undefined;
    await using server = await api(
      (defined) => {
        app = defined.get('/open', handler('open')).get(/^\/re(.*)$/, handler('re'));
        defined.route('/both').get(permit('thing.read', thing), handler('get')).delete(handler('delete'));
      },
      { traffic: 'mixed' },
    );
    await expectClosed(server, '/open');
    await expectClosed(server, '/open', 'HEAD');
    await expectClosed(server, '/regular');
    await expectClosed(server, '/both', 'DELETE');
    app?.all('/late', handler('late'));
    await expectClosed(server, '/late', 'PUT');
    expect((await send(server.url, unsigned({ target: '/open' }))).body).toBe('open');
    expect((await send(server.url, signed({ target: '/both' }))).body).toBe('get');
    expect(server.audit.records.filter(({ code }) => code === 'route_unmapped')).toHaveLength(5);
  });

  it('are closed if an error before their permit would skip it, and a handler of errors behind it goes on [D8]', async () => {
    const troubles: string[] = [];
    const may = permit('thing.read', thing);
    await using server = await api(
      (app) => {
        app.get('/skips', fails, may, goesOn, handler('skips'));
        app.get('/between', fails, may, goesOn, handler('between'), may, handler('end'));
        const things = new Things();
        app.get('/method', things.fail.bind(things), may, goesOn, handler('method'));
        app.get('/last', fails, may, handler('last'), answers);
        app.get('/first', may, fails, goesOn, handler('first'));
        app.get('/asked', fails, goesOn, may, handler('asked'));
        app.get('/again', fails, may, goesOn, may, handler('again'));
      },
      { onTrouble: (text) => void troubles.push(text) },
    );
    await expectClosed(server, '/skips');
    await expectClosed(server, '/between');
    await expectClosed(server, '/again');
    await expectClosed(server, '/method');
    expect(troubles[0]).toContain('Put the permit first');
    expect((await send(server.url, signed({ target: '/last' }))).status).toBe(413);
    for (const name of ['first', 'asked'])
      expect((await send(server.url, signed({ target: `/${name}` }))).body).toBe(name);
  });

  it.each(['a permit around', 'an earlier permit', 'everyRequest', 'unmapped'])(
    'are closed if an error would skip their permit, whatever else has allowed the request: %s [D8]',
    async (how) => {
      const may = permit('thing.read', thing);
      const { guard, audit } = await guarded({ onTrouble: () => {} });
      const app = express();
      const unmapped = how === 'unmapped' ? 'authenticated' : 'refuse';
      app.use(agentAuth(guard, { everyRequest: how === 'everyRequest', unmapped }));
      if (how === 'a permit around') app.use('/skips', may);
      const earlier = how === 'an earlier permit' ? [may] : [];
      app.get('/skips', ...earlier, fails, permit('thing.write', thing), goesOn, handler('skips'));
      await using server = { ...(await serve(app)), audit };
      await expectClosed(server, '/skips');
    },
  );

  it('are open when a permit is in the route or before all routes', async () => {
    await using server = await api((app) => {
      const things = new Things();
      app.get('/permit', permit('thing.read', thing), handler('permit'));
      app.get('/array', [permit('thing.read', thing), passing('array')], handler('end'));
      app.get('/exempt', permit(false), handler('exempt'));
      app.get('/method', things.read.bind(things));
      app.use('/covered', permit('thing.read', thing)).get('/covered/x', handler('covered'));
    });
    for (const target of ['/permit', '/array', '/exempt', '/method', '/covered/x']) {
      expect((await send(server.url, signed({ target }))).status, target).toBe(200);
    }
    expect(ran).toEqual(['permit', 'array', 'end', 'exempt', 'read', 'covered']);
    expect((await send(server.url, signed({ target: '/permit', method: 'OPTIONS' }))).status).toBe(200);
  });

  it('are closed below a route whose handler calls a permit [D8]', async () => {
    await using server = await api((app) => {
      const inner = permit('thing.read', thing);
      const calls = (req: Request, res: Response, next: NextFunction): void => inner(req, res, next);
      app.get('/things', permit('thing.read', thing), calls, passing('first'));
      app.get('/things', handler('second'));
    });
    const response = await send(server.url, signed({ target: '/things' }));
    expect([response.status, codeOf(response)]).toEqual([403, 'route_unmapped']);
    expect(ran).toEqual(['first']);
  });

  it('stay closed to a refused request that an error handler lets go on [D8]', async () => {
    const parts = await guarded();
    const app = express();
    app.use(agentAuth(parts.guard, { onRefusal: 'throw' }), permit('thing.read', thing));
    app.get('/things', permit('forbidden', thing), handler('denied'));
    app.use(goOn).get('/things', handler('covered'));
    app.use(goOn).get('/things', permit(false), handler('exempt'));
    app.use(goOn).get('/things', permit('thing.read', thing), handler('permitted'));
    await using server = await serve(app);
    expect((await send(server.url, signed({ target: '/things' }))).status).toBe(403);
    expect(ran).toEqual([]);
    const decisions = parts.audit.records.filter(({ phase }) => phase === 'decision');
    expect(decisions.map(({ decision }) => decision)).toEqual(['allow', 'deny']);
  });

  it('run each handler once for a person who is there when they are closed [G1]', async () => {
    const arrived = deferred();
    const closed = deferred();
    await using server = await api(
      (app) => {
        app.post(
          '/order',
          permit('forbidden', thing),
          async (_req, _res, next) => {
            ran.push('charge');
            arrived.resolve();
            await closed.promise;
            next();
          },
          handler('answer'),
        );
      },
      { traffic: 'mixed' },
    );
    const person = send(server.url, unsigned({ method: 'POST', target: '/order' }));
    await arrived.promise;
    expect((await send(server.url, signed({ method: 'POST', target: '/order' }))).status).toBe(403);
    closed.resolve();
    expect((await person).body).toBe('answer');
    expect(ran).toEqual(['charge', 'answer']);
  });

  it('run no router.param() handler when they are closed [D12]', async () => {
    await using server = await api((app) => {
      app.param('id', (_req, _res, next, id: string) => {
        ran.push(id);
        next();
      });
      app.get('/things/:id', handler('thing'));
      app.post('/things/:id', permit('thing.read', thing), (req, res) => void res.send(req.params['id']));
    });
    await expectClosed(server, '/things/1');
    expect((await send(server.url, signed({ target: '/things/1', method: 'POST' }))).body).toBe('1');
  });

  it.each(['post', 'put'] as const)('run none for HEAD where they serve %s alone [D12]', async (method) => {
    await using server = await api((app) => {
      app.param('id', (_req, _res, next, id: string) => {
        ran.push(id);
        next();
      });
      app[method]('/things/:id', handler('thing'));
      app[method]('/permitted/:id', permit('thing.read', thing), handler('thing'));
      app.put('/both/:id', handler('thing')).get('/both/:id', permit('thing.read', thing), handler('both'));
      app.use('/things/:id', (req, res) => void res.setHeader('id', req.params['id'] ?? '').end());
    });
    const head = async (target: string) => await send(server.url, signed({ target, method: 'HEAD' }));
    expect((await send(server.url, signed({ target: '/things/0', method: method.toUpperCase() }))).status).toBe(403);
    expect((await head('/permitted/1')).status).toBe(404);
    expect(ran).toEqual([]);
    expect((await head('/both/2')).status).toBe(200);
    expect(ran).toEqual(['2', 'both']);
    expect((await head('/things/3')).headers).toMatchObject({ id: '3' });
  });

  it('stay closed when the application puts other handlers in place of theirs [D8]', async () => {
    let route: { stack: unknown[]; get: (handle: unknown) => unknown } | undefined;
    await using server = await api((app) => {
      route = app.route('/flags').get(handler('old')) as unknown as NonNullable<typeof route>;
    });
    await expectClosed(server, '/flags');
    if (route !== undefined) route.stack = [];
    route?.get(handler('new'));
    await expectClosed(server, '/flags');
    route?.stack.splice(0);
    route?.get(handler('newer'));
    await expectClosed(server, '/flags');
    await expectClosed(server, '/flags');
    expect(route?.stack).toHaveLength(2);
  });

  it('are mapped in nested routers and mounted apps', async () => {
    await using server = await api((app) => {
      const inner = express.Router({ mergeParams: true }).get('/:id', handler('inner'));
      inner.post('/:id', permit('thing.read', thing), (req, res) => void res.json(req.params));
      app.use('/nested/:org', express.Router().use('/v1', inner));
      app.use(
        '/mounted',
        express().get('/open', handler('open')).get('/permit', permit('thing.read', thing), handler('x')),
      );
    });
    await expectClosed(server, '/nested/acme/v1/1');
    await expectClosed(server, '/mounted/open');
    expect((await send(server.url, signed({ target: '/mounted/permit' }))).body).toBe('x');
  });

  it('stay closed below an inner agentAuth after a permit of an open route [J4]', async () => {
    const { guard } = await guarded();
    const app = express().use(agentAuth(guard, { unmapped: 'authenticated' }));
    app.get(/^\/x/, permit('thing.read', thing), passing('open'));
    app.use('/x', agentAuth(guard), express.Router().get('/unmapped', handler('unmapped')));
    await using server = await serve(app);
    const response = await send(server.url, signed({ target: '/x/unmapped' }));
    expect([response.status, codeOf(response)]).toEqual([403, 'route_unmapped']);
    expect(ran).not.toContain('unmapped');
  });

  it('stay closed when the next route has a permit [J4]', async () => {
    await using server = await api((app) => {
      app.get('/x', permit('thing.read', thing), passing('first', 'route'));
      app.get('/x', handler('second'));
    });
    expect(codeOf(await send(server.url, signed({ target: '/x' })))).toBe('route_unmapped');
    expect(ran).toEqual(['first']);
  });

  it('are mapped when agentAuth is in the router or in the route itself [G3]', async () => {
    const { guard } = await guarded();
    const app = express();
    app.get('/in/open', agentAuth(guard), handler('open'));
    app.get('/in/permit', agentAuth(guard), permit('thing.read', thing), handler('permit'));
    app.get('/wrapped/open', wrapped(agentAuth(guard)), handler('open'));
    app.get('/wrapped/permit', agentAuth(guard), wrapped(permit('thing.read', thing)), handler('permit'));
    const router = express.Router().use(agentAuth(guard)).get('/open', handler('open'));
    app.use('/used', router.get('/permit', permit('thing.read', thing), handler('permit')));
    app.all(express === express5 ? '/all/*any' : '/all/*', agentAuth(guard));
    app.get('/all/open', handler('open')).get('/all/permit', permit('thing.read', thing), handler('permit'));
    await using served = await serve(app);
    for (const part of ['/in', '/wrapped', '/used', '/all']) {
      expect(codeOf(await send(served.url, signed({ target: `${part}/open` }))), part).toBe('route_unmapped');
      expect((await send(served.url, signed({ target: `${part}/permit` }))).body).toBe('permit');
    }
    expect(ran).toEqual(['permit', 'permit', 'permit', 'permit']);
  });

  it('stay mapped and closed when their handlers are wrapped', async () => {
    await using server = await api((app) => {
      const things = new Things();
      app.get('/permit', wrapped(permit('thing.read', thing)), handler('permit'));
      app.get('/method', wrapped(things.read.bind(things)));
      app.get('/open', wrapped(handler('open')));
    });
    expect((await send(server.url, signed({ target: '/permit' }))).body).toBe('permit');
    expect((await send(server.url, signed({ target: '/method' }))).body).toBe('read');
    ran.splice(0);
    await expectClosed(server, '/open');
  });

  it.each(derivations)('are closed when the router gets %s in place of the request [D8, J4]', async (_how, derive) => {
    await using server = await api((app) => {
      const router = express.Router().get('/open', handler('open')).get('/permit', permit('thing.read', thing));
      router.param('id', (_req, _res, next, id: string) => {
        ran.push(id);
        next();
      });
      router.get('/things/:id', handler('thing')).use(handler('last'));
      app.use('/one', (req, res, next) => router(derive(req), res, next));
      app.use('/both', passing('both'), (req, res, next) => router(derive(req), derive(res), next));
    });
    await expectClosed(server, '/one/open');
    await expectClosed(server, '/one/things/1');
    const answer = await send(server.url, signed({ target: '/one/permit' }));
    expect([answer.status, codeOf(answer)]).toEqual([500, 'not_authenticated']);
    expect(codeOf(await send(server.url, signed({ target: '/both/open' })))).toBe('route_unmapped');
    expect(ran).toEqual(['both']);
  });

  it('are closed in a mounted app that gets a proxy of the request [D8, J4]', async () => {
    await using server = await api((app) => {
      const mounted = express().get('/open', handler('open'));
      app.use('/mounted', (req, res, next) => mounted(new Proxy(req, {}), new Proxy(res, {}), next));
    });
    await expectClosed(server, '/mounted/open');
  });

  it('are judged by the method that the router sees [D7]', async () => {
    await using server = await api((app) => {
      const router = express.Router().delete('/both', handler('delete')).get('/both', permit(false), handler('get'));
      router.route('/both').all(handler('all'));
      app.use((req, res, next) => {
        const changed = Object.create(req, { method: { value: 'DELETE' } }) as Request;
        return router(changed, res, next);
      });
    });
    await expectClosed(server, '/both');
  });

  it('are covered by a permit before all routes only below its path [J4]', async () => {
    await using server = await api((app) => {
      app.use('/covered/:id', permit('thing.read', thing), express.Router().get('/x', handler('inner')));
      app.use((req, _res, next) => {
        req.url = new URLSearchParams(req.url.split('?')[1]).get('to') ?? req.url;
        next();
      });
      for (const path of ['/covered/1', '/covered/1/y', '/covered/10', '/covered/2/y', '/']) {
        app.get(path, (_req, res) => void res.send('ran'));
      }
    });
    expect((await send(server.url, signed({ target: '/covered/1/x' }))).body).toBe('inner');
    const absolute = { ...signed({ target: '/covered/1/x' }), target: `https://${host}/covered/1/x` };
    expect((await send(server.url, absolute)).body).toBe('inner');
    for (const to of ['/covered/1', '/covered/1/y', '/covered/1?z', 'http://h/covered/1/y']) {
      expect((await send(server.url, signed({ target: `/covered/1/z?to=${to}` }))).body, to).toBe('ran');
    }
    for (const to of ['/covered/10', '/covered/2/y', '/', 'http://h/covered/10']) {
      const answer = await send(server.url, signed({ target: `/covered/1/z?to=${to}` }));
      expect(codeOf(answer), to).toBe('route_unmapped');
    }
  });

  it('report a permit that was replaced by a function without its mark, as New Relic does, and stay closed', async () => {
    const troubles: string[] = [];
    await using server = await api(
      (app) => {
        const inner = permit('thing.read', thing);
        const outer = (req: Request, res: Response, next: NextFunction): void => inner(req, res, next);
        app.get('/things', Object.defineProperty(outer, 'name', { value: 'permit' }), handler('things'));
        app.get('/open', handler('open'));
      },
      { onTrouble: (text) => void troubles.push(text) },
    );
    for (const target of ['/open', '/things']) await expectClosed(server, target);
    expect(troubles).toEqual([expect.stringMatching(/in place of a permit.*New Relic.*: GET \/things$/)]);
  });

  it('that no router shows run, are reported once and recorded as undecided [D8]', async () => {
    const troubles: string[] = [];
    await using server = await api((app) => app.use('/static', handler('static')), {
      onTrouble: (text) => void troubles.push(text),
    });
    for (const _time of [1, 2]) expect((await send(server.url, signed({ target: '/static' }))).body).toBe('static');
    await expect
      .poll(() => server.audit.records.map(({ outcome }) => outcome))
      .toEqual([
        { result: 'finished', status: 200, undecided: true },
        { result: 'finished', status: 200, undecided: true },
      ]);
    expect(troubles).toEqual([expect.stringContaining('"GET /static" served an agent without a decision')]);
  });

  it.each(['refuse', 'authenticated'] as const)(
    'are not covered by the coarse decision once the method is another, unmapped: %s [D7]',
    async (unmapped) => {
      const { guard } = await guarded();
      const auth = agentAuth(guard, { everyRequest: true, unmapped });
      const app = express();
      app.use(auth, overrideMethod);
      app.post('/thing', handler('post'));
      app.delete('/thing', handler('delete'));
      app.delete('/permit', permit('thing.read', thing), handler('permit'));
      await using server = await serve(app);
      const post = (target: string, fields: readonly (readonly [string, string])[] = []) =>
        send(server.url, signed({ method: 'POST', target, fields, alsoCovered: fields.map(([name]) => `"${name}"`) }));
      expect((await post('/thing')).body).toBe('post');
      expect(codeOf(await post('/thing?_method=DELETE'))).toBe('route_unmapped');
      expect(codeOf(await post('/thing', [['x-http-method-override', 'DELETE']]))).toBe('route_unmapped');
      expect((await post('/permit?_method=DELETE')).body).toBe('permit');
      expect(ran).toEqual(['post', 'permit']);
    },
  );

  it('are covered by a coarse decision that is made anew for another method [D7]', async () => {
    const { guard, queries } = await guarded();
    const auth = agentAuth(guard, { everyRequest: true });
    const app = express();
    app.use(auth, overrideMethod, auth);
    app.delete('/thing', handler('delete'));
    await using server = await serve(app);
    expect((await send(server.url, signed({ method: 'POST', target: '/thing?_method=DELETE' }))).body).toBe('delete');
    expect(queries.map(({ action }) => action)).toEqual(['http.post', 'http.delete']);
  });
});
