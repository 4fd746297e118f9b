import multipart from '@fastify/multipart';
import { ConfigError, type Resource } from '@countersign/core';
import { type ResourceOf as AnyResourceOf } from '@countersign/core/adapter';
import {
  fastify,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type FastifyServerOptions,
  type RouteShorthandOptions,
} from 'fastify';
import { once } from 'node:events';
import { Writable } from 'node:stream';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it, vi } from 'vitest';
import { Connection } from '../../../test/support/connection.js';
import { deferred } from '../../../test/support/deferred.js';
import { guarded, host, outcomeOf, send, serve, signed, unsigned } from '../../../test/support/guarded.js';
import { patiently } from '../../../test/support/patiently.js';
import { serialized } from '../../../test/support/signed-request.js';
import {
  agentAuth,
  getCaller,
  Permit,
  permit,
  type PermitOptions,
  type PermitRequest,
  type PermitRoute,
} from '../src/index.js';
import { Api, type AppOptions, codeOf } from './support.js';

function callNotFound(_request: FastifyRequest, reply: FastifyReply): void {
  reply.callNotFound();
}

type ResourceOf = AnyResourceOf<PermitRequest>;

const thing: Resource = { type: 'Thing', id: '1' };
const ofWhom = ({ params, body }: FastifyRequest<{ Params: { id: number }; Body: { of: string } }>): Resource => ({
  type: 'Thing',
  id: `${body.of}/${params.id}`,
});
const fromRoute: ResourceOf = ({ params }) => ({ type: 'Thing', id: params['id'] });

async function one(define: (app: FastifyInstance, handler: () => Promise<string>) => unknown, options?: AppOptions) {
  const handler = vi.fn(async () => 'done');
  const api = await Api.start((app) => define(app, handler), options);
  return { api, handler, [Symbol.asyncDispose]: () => api[Symbol.asyncDispose]() };
}

// Two equivalent notations.
describe.each([
  ['permit', permit<PermitRequest>],
  [
    'config.permit',
    (action: string, resource: ResourceOf, more: PermitOptions = {}) => ({
      config: { permit: { action, resource, ...more } },
    }),
  ],
])('%s', (_name, route) => {
  it('asks policy about the action on the resource, records the decision, and runs the handler', async () => {
    await using host = await one((app, handler) => app.get('/things/:id', route('thing.read', fromRoute), handler));
    const { api } = host;
    expect((await api.call({ target: '/things/a%2Fb?x=1' })).body).toBe('done');
    expect(api.guarded.queries).toMatchObject([
      { action: 'thing.read', resource: { id: 'a/b' }, context: { request: { path: '/things/a%2Fb' } } },
    ]);
    await outcomeOf(api.guarded);
    expect(api.guarded.audit.records).toMatchObject([
      { phase: 'decision', decision: 'allow', action: 'thing.read', resource: { type: 'Thing', id: 'a/b' } },
      { phase: 'outcome', outcome: { result: 'finished', status: 200 } },
    ]);
  });

  it('refuses with policy_denied, one record, no outcome, and without running the handler', async () => {
    await using host = await one((app, handler) => app.get('/', route('forbidden', thing), handler));
    expect(codeOf(await host.api.call())).toBe('policy_denied');
    expect(host.handler).not.toHaveBeenCalled();
    expect(host.api.guarded.audit.records).toMatchObject([{ phase: 'decision', code: 'policy_denied' }]);
  });

  it('refuses with insufficient_scope when the scope is missing', async () => {
    await using host = await one((app, handler) =>
      app.get('/', route('thing.write', thing, { requires: 'repo:write' }), handler),
    );
    expect(codeOf(await host.api.call())).toBe('insufficient_scope');
    expect(host.handler).not.toHaveBeenCalled();
  });

  it('asks the same for HEAD [D7]', async () => {
    await using host = await one((app, handler) => app.get('/:id', route('thing.read', fromRoute), handler));
    expect((await host.api.call({ method: 'HEAD', target: '/forbidden' })).status).toBe(403);
    expect(host.handler).not.toHaveBeenCalled();
  });

  it('can build the resource from the validated body and from converted parameters', async () => {
    const schema = {
      params: { type: 'object', properties: { id: { type: 'integer' } } },
      body: { type: 'object', properties: { of: { type: 'string', default: 'nobody' } } },
    };
    await using host = await one((app, handler) =>
      app.post('/:id', { ...route('thing.read', ofWhom as unknown as ResourceOf), schema }, handler),
    );
    const { api } = host;
    expect((await api.call({ method: 'POST', target: '/007', body: '{"of":"me"}' })).body).toBe('done');
    expect((await api.call({ method: 'POST', target: '/8', body: '{}' })).body).toBe('done');
    expect(codeOf(await api.call({ method: 'POST', target: '/8', body: '{"of":"forbidden"}' }))).toBe('policy_denied');
    expect(api.guarded.queries.map(({ resource: { id } }) => id)).toEqual(['me/7', 'nobody/8', 'forbidden/8']);
  });

  it.each([
    ['before the parsers when the resource is constant', thing, []],
    ['after them when a function makes it', () => thing, ['onFile', 'preValidation']],
  ])('asks once, %s [D8]', async (_title, resource, parsedFor) => {
    const ran: string[] = [];
    await using host = await one(async (app, handler) => {
      await app.register(multipart, {
        attachFieldsToBody: true,
        async onFile(part) {
          await part.toBuffer();
          ran.push('onFile');
        },
      });
      app.addHook('preValidation', async () => void ran.push('preValidation'));
      app.post('/allowed', route('thing.read', resource), handler);
      app.post('/denied', route('forbidden', resource), handler);
    });
    const lines = ['--b', 'Content-Disposition: form-data; name="f"; filename="f.txt"', '', 'content', '--b--', ''];
    const form = { method: 'POST', contentType: 'multipart/form-data; boundary=b', body: lines.join('\r\n') };
    expect(codeOf(await host.api.call({ ...form, target: '/denied' }))).toBe('policy_denied');
    expect(ran.toSorted()).toEqual(parsedFor);
    expect(host.api.guarded.audit.records).toMatchObject([{ phase: 'decision', code: 'policy_denied' }]);
    expect((await host.api.call({ ...form, target: '/allowed' })).body).toBe('done');
    expect(host.handler).toHaveBeenCalledOnce();
    expect(host.api.guarded.queries).toHaveLength(2);
  });

  it('ends a request that was refused after it had the permission of its route [D8]', async () => {
    class Inner {
      @Permit('forbidden', thing)
      async read(_request: FastifyRequest): Promise<string> {
        return 'read';
      }
    }
    await using host = await one(
      (app, handler) => {
        app.addHook('preValidation', async (request) => {
          await new Inner().read(request).catch(() => undefined);
        });
        app.get('/', route('thing.read', thing), handler);
      },
      { auth: { onRefusal: 'throw' } },
    );
    expect((await host.api.call()).status).toBe(403);
    expect(host.handler).not.toHaveBeenCalled();
  });

  it('asks before the preHandlers of children and of the route', async () => {
    const early = vi.fn(async () => {});
    await using host = await one((app, handler) =>
      app.register(async (child) => {
        child.addHook('preHandler', early);
        child.get('/', { preHandler: [early], ...route('forbidden', thing) }, handler);
      }),
    );
    expect(codeOf(await host.api.call())).toBe('policy_denied');
    expect(early).not.toHaveBeenCalled();
  });

  it('asks before preHandlers and preParsing hooks of plugins that were registered before agentAuth [D8]', async () => {
    const early = vi.fn(async (_request: FastifyRequest, reply: FastifyReply) => void reply.send('kept answer'));
    const { guard } = await guarded();
    const app = fastify();
    await app.register(async (child) => {
      child.addHook('preHandler', early);
      child.get(
        '/named',
        route('forbidden', () => thing),
        early,
      );
      await child.register(async (within) => {
        within.addHook('preParsing', early);
        within.get('/constant', route('forbidden', thing), early);
      });
    });
    app.addHook('preHandler', early);
    await app.register(agentAuth, { guard });
    app.get(
      '/own',
      route('forbidden', () => thing),
      early,
    );
    const url = await app.listen({ port: 0, host: '127.0.0.1' });
    for (const target of ['/named', '/constant', '/own'])
      expect((await send(url, signed({ target }))).status, target).toBe(403);
    expect(early).not.toHaveBeenCalled();
    await app.close();
  });

  it.each<[string, ResourceOf]>([
    ['throws', () => Promise.reject(new Error('database down at 10.0.0.7'))],
    ['gives no id', () => ({ type: 'Thing' }) as Resource],
    ['gives an id that is no string', () => ({ type: 'Thing', id: true as never })],
  ])('refuses with resource_unresolved when the resource %s [D12]', async (_title, resource) => {
    await using host = await one((app, handler) => app.get('/', route('thing.read', resource), handler), {
      guarded: await guarded({ onTrouble: () => {} }),
    });
    const response = await host.api.call();
    expect(codeOf(response)).toBe('resource_unresolved');
    expect(response.text).not.toContain('database');
    expect(host.handler).not.toHaveBeenCalled();
  });

  it('gives a missing resource the same answer as a denied one [D12]', async () => {
    await using host = await one((app, handler) =>
      app.get(
        '/',
        route('thing.read', () => undefined),
        handler,
      ),
    );
    expect(codeOf(await host.api.call())).toBe('policy_denied');
    expect(host.handler).not.toHaveBeenCalled();
  });

  it('leaves unmarked requests to the application in mixed traffic, unless it requires an agent', async () => {
    const parts = await guarded({ traffic: 'mixed' });
    await using host = await one(
      (app, handler) => {
        app.get('/', route('thing.read', thing), handler);
        app.get('/agents', route('thing.read', thing, { agentsOnly: true }), handler);
      },
      { guarded: parts },
    );
    expect((await send(host.api.url, unsigned())).body).toBe('done');
    expect(codeOf(await send(host.api.url, unsigned({ target: '/agents' })))).toBe('signature_required');
    expect(host.handler).toHaveBeenCalledTimes(1);
    expect((await host.api.call({ target: '/agents' })).body).toBe('done');
  });
});

describe('a refused request whose client goes away while an onSend hook is at work', () => {
  const routes: Record<string, RouteShorthandOptions> = {
    'without a permit': {},
    'with permit(false)': permit(false),
    'with a constant permit': permit('forbidden', thing),
    'with a permit of the request': permit('forbidden', fromRoute),
    'that refuses agents': { config: { permit: 'refuse' } },
  };
  const strangers = Object.keys(routes).map((route) => ['a stranger', route] as const);
  const agents = Object.keys(routes).flatMap((route) =>
    route === 'with permit(false)' ? [] : [['an agent', route] as const],
  );
  it.each([...strangers, ...agents])(
    'of %s, runs no handler of a route %s, and no hook [D8, G3]',
    async (who, route) => {
      const ran = vi.fn(async () => 'done');
      const { promise: sent, resolve: wasSent } = deferred();
      await using host = await one((app) =>
        app
          .addHook('onSend', async (_request, reply, payload) => {
            connection.destroy();
            await once(reply.raw, 'close');
            // Fastify hears of it, and would go on.
            for (let turn = 0; turn < 5; turn++) await setImmediate();
            wasSent();
            return payload;
          })
          .addHook('preHandler', ran)
          .get('/things/:id', routes[route] ?? {}, ran),
      );
      const connection = await Connection.open(host.api.url);
      const request = who === 'an agent' ? signed({ target: '/things/1' }) : unsigned({ target: '/things/1' });
      connection.write(serialized(request));
      await sent;
      for (let turn = 0; turn < 5; turn++) await setImmediate();
      expect(ran).not.toHaveBeenCalled();
      expect(host.api.guarded.audit.records).toMatchObject([{ decision: 'deny' }]);
    },
  );
});

describe('permit without agentAuth', () => {
  it('refuses every request with not_authenticated [G3, G5]', async () => {
    const handler = vi.fn(async () => 'x');
    const app = fastify();
    app.get('/', permit('thing.read', thing), handler);
    const { guard } = await guarded();
    await app.register(async (child) => {
      await child.register(agentAuth, { guard });
    });
    const response = await app.inject('/');
    expect(response.statusCode).toBe(500);
    expect(response.json()).toMatchObject({ code: 'not_authenticated' });
    expect(handler).not.toHaveBeenCalled();
    await app.close();
  });

  it.each<[string, RouteShorthandOptions]>([
    ['a permit in its config', { config: { permit: { action: 'thing.read', resource: thing } } }],
    ['permit: false', { config: { permit: false } }],
    ['a permit whose preHandler is replaced', { ...permit('thing.read', thing), preHandler: async () => {} }],
  ])('refuses with not_authenticated a route with %s outside the guarded plugin [G3, G5]', async (_title, options) => {
    const handler = vi.fn(async () => 'x');
    const parsed = vi.fn();
    const troubles: string[] = [];
    const { guard } = await guarded({ onTrouble: (text) => void troubles.push(text) });
    const app = fastify();
    app.addHook('preValidation', async () => parsed());
    app.post('/before', options, handler);
    await app.register(async (child) => {
      await child.register(agentAuth, { guard });
      child.post('/within', options, handler);
    });
    // Another plugin with its own agentAuth, and one without.
    await app.register(async (child) => {
      await child.register(async (inner) => {
        await inner.register(agentAuth, { guard });
      });
      child.post('/beside', options, handler);
    });
    app.post('/after', options, handler);
    app.get('/open', async () => 'open');
    const url = await app.listen({ port: 0, host: '127.0.0.1' });
    for (const target of ['/before', '/beside', '/after', '/after']) {
      const response = await send(url, signed({ method: 'POST', target, body: '{}' }));
      expect([target, response.status, codeOf(response)]).toEqual([target, 500, 'not_authenticated']);
    }
    expect(handler).not.toHaveBeenCalled();
    expect(parsed).not.toHaveBeenCalled();
    expect(troubles).toEqual(
      ['/before is closed', '/beside is closed', '/after is closed', '/after is closed (2 so far)'].map(
        (closed) => `countersign: POST ${closed}: it says 'permit', but no agentAuth reaches it`,
      ),
    );
    expect((await send(url, unsigned({ target: '/open' }))).body).toBe('open');
    expect((await send(url, signed({ method: 'POST', target: '/within', body: '{}' }))).body).toBe('x');
    await app.close();
  });

  it.each<[string, object, string]>([
    ['a constant permit', permit('forbidden', thing), 'policy_denied'],
    ['a permit with a function', permit('forbidden', () => thing), 'policy_denied'],
    ['config.permit alone', { config: { permit: { action: 'forbidden', resource: thing } } }, 'policy_denied'],
    ["'refuse'", { config: { permit: 'refuse' } }, 'route_unmapped'],
  ])(
    'of a handler of what is not found (%s) is asked, also when a route calls it [D8, G3]',
    async (_of, options, code) => {
      const missing = vi.fn(async () => 'missing');
      await using api = await Api.start((app) => {
        app.setNotFoundHandler(options as PermitRoute, missing);
        app.get('/files/:id', permit('thing.read', thing), callNotFound);
        app.get(
          '/constant',
          permit('thing.read', () => thing),
          callNotFound,
        );
        app.get('/exempt', permit(false), callNotFound);
      });
      for (const target of ['/nowhere', '/files/1', '/constant', '/exempt'])
        expect([target, codeOf(await api.call({ target }))]).toEqual([target, code]);
      expect(missing).not.toHaveBeenCalled();
    },
  );

  it('of a handler of what is not found is asked once, when policy permits it', async () => {
    await using api = await Api.start((app) => {
      app.setNotFoundHandler(permit('thing.list', thing), async () => 'missing');
      app.get('/:id', permit('thing.read', fromRoute), callNotFound);
    });
    expect((await api.call({ target: '/1' })).body).toBe('missing');
    expect(api.guarded.queries.map(({ action }) => action)).toEqual(['thing.read', 'thing.list']);
  });

  it.each<[string, object]>([
    ['permit()', permit('thing.read', thing)],
    ['config.permit', { config: { permit: { action: 'thing.read', resource: thing } } }],
    ["'refuse'", { config: { permit: 'refuse' } }],
  ])(
    'closes a handler of what is not found (%s) that no agentAuth reaches, also when a route calls it [D8, G3]',
    async (_of, options) => {
      const { guard } = await guarded();
      const missing = vi.fn(async () => 'missing');
      const app = fastify();
      app.setNotFoundHandler(options as PermitRoute, missing);
      app.get('/outside', callNotFound);
      await app.register(async (child) => {
        await child.register(agentAuth, { guard });
      });
      const url = await app.listen({ port: 0, host: '127.0.0.1' });
      for (const target of ['/nowhere', '/outside']) {
        const response = await send(url, unsigned({ target }));
        expect([target, response.status, codeOf(response)]).toEqual([target, 500, 'not_authenticated']);
      }
      expect(missing).not.toHaveBeenCalled();
      await app.close();
    },
  );

  it("of the root's handler of what is not found is asked when a route in a plugin with agentAuth calls it [D8, G3]", async () => {
    const { guard } = await guarded();
    const missing = vi.fn(async () => 'missing');
    const app = fastify();
    app.setNotFoundHandler(permit('forbidden', thing), missing);
    await app.register(async (child) => {
      await child.register(agentAuth, { guard });
      child.get('/within', permit('thing.read', thing), callNotFound);
    });
    const url = await app.listen({ port: 0, host: '127.0.0.1' });
    expect(codeOf(await send(url, signed({ target: '/within' })))).toBe('policy_denied');
    expect(missing).not.toHaveBeenCalled();
    await app.close();
  });

  it.each(['none', 'another plugin'])(
    'is answered where no agentAuth reaches it (%s), also if an onSend hook fails [D8, G3]',
    async (reaching) => {
      const { guard } = await guarded();
      const app = fastify();
      const failing = vi.fn(() => Promise.reject(new Error('the store of sessions is down')));
      app.addHook('onSend', failing);
      app.post('/', permit('thing.read', thing), async () => 'done');
      const elsewhere = async (child: FastifyInstance): Promise<void> => {
        await child.register(agentAuth, { guard });
      };
      if (reaching !== 'none') app.register(elsewhere);
      const url = await app.listen({ port: 0, host: '127.0.0.1' });
      const response = await send(url, signed({ method: 'POST', body: '{}' }));
      expect([response.status, codeOf(response)]).toEqual([500, 'not_authenticated']);
      await app.close();
    },
  );

  it('works on a route that was declared before the plugin was loaded [G3]', async () => {
    const { guard, queries } = await guarded();
    const app = fastify();
    app.register(agentAuth, { guard });
    app.get('/:id', permit('thing.read', fromRoute), async () => 'done');
    app.get('/constant', permit('forbidden', thing), async () => 'done');
    const url = await app.listen({ port: 0, host: '127.0.0.1' });
    expect((await send(url, signed({ target: '/1' }))).body).toBe('done');
    expect(codeOf(await send(url, signed({ target: '/forbidden' })))).toBe('policy_denied');
    expect(codeOf(await send(url, signed({ target: '/constant' })))).toBe('policy_denied');
    expect(queries).toHaveLength(3);
    await app.close();
  });
});

describe('a route without a permit', () => {
  it('is closed to agents and recorded, and its body is not parsed [D8]', async () => {
    const parsed = vi.fn();
    await using host = await one((app, handler) => {
      app.addHook('preParsing', async () => parsed());
      app.post('/things/:id', handler);
    });
    const { api, handler } = host;
    const response = await api.call({ method: 'POST', target: '/things/1?x=y', body: '{}' });
    expect(response.status).toBe(403);
    expect(codeOf(response)).toBe('route_unmapped');
    expect(handler).not.toHaveBeenCalled();
    expect(parsed).not.toHaveBeenCalled();
    expect(api.guarded.audit.records).toMatchObject([
      {
        phase: 'decision',
        decision: 'deny',
        code: 'route_unmapped',
        detail: 'POST /things/:id asks for no permission',
        actor: { id: 'agent-1' },
      },
    ]);
  });

  it('is closed when its config is missing, empty, or only of other plugins [D8]', async () => {
    await using host = await one((app, handler) => {
      app.get('/empty', { config: {} }, handler);
      app.get('/undefined', { config: { permit: undefined } as object }, handler);
      app.get('/other', { config: { rateLimit: 1 } as object }, handler);
    });
    for (const target of ['/empty', '/undefined', '/other']) {
      expect(codeOf(await host.api.call({ target }))).toBe('route_unmapped');
    }
    expect((await host.api.call({ target: '/empty', method: 'HEAD' })).status).toBe(403);
    expect(host.handler).not.toHaveBeenCalled();
  });

  it('is open with permit: false, with unmapped routes open, and to unmarked requests in mixed traffic', async () => {
    await using said = await one((app, handler) => app.get('/', { config: { permit: false } }, handler));
    expect((await said.api.call()).body).toBe('done');
    await using all = await one((app, handler) => app.get('/', handler), { auth: { unmapped: 'authenticated' } });
    expect((await all.api.call()).body).toBe('done');
    await using mixed = await one((app, handler) => app.get('/', handler), {
      guarded: await guarded({ traffic: 'mixed' }),
    });
    expect((await send(mixed.api.url, unsigned())).body).toBe('done');
    expect(codeOf(await mixed.api.call())).toBe('route_unmapped');
  });

  it('has one decision per request with everyRequest', async () => {
    await using host = await one((app, handler) => app.get('/*', handler), { auth: { everyRequest: true } });
    expect((await host.api.call({ target: '/repos/acme?x=1' })).body).toBe('done');
    expect(codeOf(await host.api.call({ target: '/forbidden' }))).toBe('policy_denied');
    expect(host.api.guarded.queries).toMatchObject([
      { action: 'http.get', resource: { type: 'Path', id: '/repos/acme' } },
      { action: 'http.get', resource: { type: 'Path', id: '/forbidden' } },
    ]);
  });

  it('is logged at the start', async () => {
    const lines: string[] = [];
    const stream = new Writable({
      write(chunk: Buffer, _encoding, done) {
        lines.push(chunk.toString());
        done();
      },
    });
    const listed = (unmapped: 'refuse' | 'authenticated') =>
      one(
        (app, handler) => {
          app.get('/forgotten', handler);
          app.get('/mapped', permit('thing.read', thing), handler);
          app.get('/open', { config: { permit: false } }, handler);
          app.get('/method', new Things().read);
        },
        { server: { logger: { level: 'warn', stream } }, auth: { unmapped } },
      );
    await using _refusing = await listed('refuse');
    expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
      { routes: ['GET /forgotten'], msg: expect.stringContaining('agents are refused there') },
    ]);
    lines.length = 0;
    await using _open = await listed('authenticated');
    expect(lines).toEqual([]);
  });

  it('is reported to the guard only when Fastify has no logger', async () => {
    const troubles: string[] = [];
    const told = async (server: FastifyServerOptions): Promise<readonly string[]> => {
      troubles.length = 0;
      const options = { server, guarded: await guarded({ onTrouble: (message) => void troubles.push(message) }) };
      await using _host = await one((app, handler) => app.get('/forgotten', handler), options);
      return [...troubles];
    };
    expect(await told({})).toEqual([
      'countersign: these routes ask for no permission: agents are refused there: GET /forgotten',
    ]);
    const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() });
    expect(await told({ logger: { level: 'warn', stream: nowhere } })).toEqual([]);
  });
});

class Things {
  readonly name = 'things';
  readonly ran: string[] = [];

  @Permit('thing.read', fromRoute)
  async read(this: unknown, request: FastifyRequest): Promise<unknown> {
    return { by: getCaller(request)?.actor.id };
  }

  @Permit('thing.read', fromRoute)
  async create(_request: FastifyRequest, reply: FastifyReply): Promise<unknown> {
    this.ran.push('create');
    return reply.code(201).send({ made: this.name });
  }

  @Permit('thing.read', ({ params }) => ({ type: 'Thing', id: params['id'] }))
  async find(_request?: FastifyRequest): Promise<unknown> {
    this.ran.push('find');
    return { found: this.name };
  }
}

/** The compiled form of `@Permit(…) read() {}` with `experimentalDecorators`. */
class Legacy {
  async read(): Promise<unknown> {
    return { legacy: true };
  }
}
const descriptor = Object.getOwnPropertyDescriptor(Legacy.prototype, 'read') as TypedPropertyDescriptor<Legacy['read']>;
Permit('thing.read', fromRoute)(Legacy.prototype, 'read', descriptor);
Object.defineProperty(Legacy.prototype, 'read', descriptor);

describe('@Permit', () => {
  const things = new Things();
  const define = (app: FastifyInstance): void => {
    app.get('/read/:id', things.read);
    app.post('/create/:id', things.create.bind(things));
    app.get('/find/:id', { config: { permit: false } }, (request) => things.find(request));
    app.get('/legacy/:id', new Legacy().read);
  };

  it('refuses a call whose handler has taken the answer over and sent nothing [G7]', async () => {
    await using api = await Api.start((app) =>
      app.get('/events/:id', { config: { permit: false } }, async (request, reply) => {
        reply.hijack();
        const found = await things.find(request);
        reply.raw.end(JSON.stringify(found ?? null));
      }),
    );
    expect(codeOf(await api.call({ target: '/events/forbidden' }))).toBe('policy_denied');
  });

  // A second answer would be an error that nothing catches, and fail the run.
  it('answers a refused call once, while an onSend hook with a callback waits [G3]', async () => {
    const ended = vi.fn();
    await using api = await Api.start((app) => {
      app.addHook('onSend', (_request, _reply, payload, done) => {
        void setImmediate()
          .then(() => setImmediate())
          .then(() => done(null, payload));
      });
      define(app);
      app.get('/around/:id', { config: { permit: false } }, async (request) => {
        try {
          return await things.find(request);
        } finally {
          ended();
        }
      });
      app.get('/both/:id', { config: { permit: false } }, (request) =>
        Promise.all([things.find(request), things.find(request)]),
      );
    });
    const connection = await Connection.open(api.url);
    for (const target of [
      '/read/forbidden',
      '/find/forbidden',
      '/legacy/forbidden',
      '/both/forbidden',
      '/around/forbidden',
    ]) {
      connection.write(serialized(signed({ target })));
      expect(codeOf(await connection.read())).toBe('policy_denied');
    }
    // A handler around the method goes on, as it may hold a lock.
    await vi.waitFor(() => expect(ended).toHaveBeenCalledOnce(), patiently);
    connection.destroy();
  });

  it('lets a handler around a refused call go on, though its client reads no answer [A12]', async () => {
    const { promise: ended, resolve: wasEnded } = deferred();
    await using api = await Api.start((app) =>
      app
        .get('/large', permit(false), async () => Buffer.alloc(20_000_000))
        .get('/around/:id', { config: { permit: false } }, async (request) => {
          try {
            return await things.find(request);
          } finally {
            wasEnded();
          }
        }),
    );
    const connection = await Connection.open(api.url, { paused: true });
    connection.write(serialized(signed({ target: '/large' })));
    connection.write(serialized(signed({ target: '/around/forbidden' })));
    await ended;
    connection.destroy();
  });

  it.each<[string, (reply: FastifyReply) => void]>([
    ['before', (reply) => void reply.hijack()],
    ['and begun', (reply) => reply.hijack().raw.writeHead(200).flushHeaders()],
  ])('holds no handler that has taken the answer over %s', async (_when, takeOver) => {
    const { promise: ended, resolve: wasEnded } = deferred();
    await using api = await Api.start((app) =>
      app.get('/events/:id', { config: { permit: false } }, async (request, reply) => {
        takeOver(reply);
        await things.find(request).finally(wasEnded);
      }),
    );
    const connection = await Connection.open(api.url);
    connection.write(serialized(signed({ target: '/events/forbidden' })));
    await ended;
    connection.destroy();
  });

  // A second answer would be an error that nothing catches, and fail the run.
  it.each<[string, (refused: Promise<unknown>) => unknown]>([
    ['fails for another reason', async (refused) => await Promise.all([refused, Promise.reject(new Error('no row'))])],
    ['has another answer', async (refused) => await Promise.race([refused, Promise.resolve('another answer')])],
    ['does not wait for the call', async () => 'another answer'],
  ])('answers a refused call alone when its handler %s, while an onSend hook is at work [G3]', async (_how, handle) => {
    const { promise: sending, resolve: isSending } = deferred();
    await using api = await Api.start((app) => {
      app.addHook('onSend', (_request, _reply, payload, done) => {
        isSending();
        void (async () => {
          for (let turn = 0; turn < 20; turn++) await setImmediate();
          done(null, payload);
        })();
      });
      app.get('/:id', { config: { permit: false } }, async (request) => {
        const refused = things.find(request);
        await sending;
        return await handle(refused);
      });
    });
    const { status, body } = await api.call({ target: '/forbidden' });
    expect([status, JSON.parse(body)]).toMatchObject([403, { code: 'policy_denied' }]);
  });

  it.each([201, 204, 304])(
    'keeps its status when the handler goes on and sets %d, while an onSend hook is at work [G3]',
    async (status) => {
      const { promise: setting, resolve: isSet } = deferred();
      await using api = await Api.start((app) => {
        app.addHook('onSend', async (_request, _reply, payload) => {
          await setting;
          return payload;
        });
        app.get('/:id', { config: { permit: false } }, async (request, reply) => {
          await things.find(request);
          reply.code(status);
          reply.statusCode = status;
          reply.raw.statusCode = status;
          isSet();
          return { done: true };
        });
      });
      const answer = await api.call({ target: '/forbidden' });
      expect([answer.status, JSON.parse(answer.body)]).toMatchObject([403, { code: 'policy_denied' }]);
      expect(api.guarded.audit.records.at(-1)).toMatchObject({ decision: 'deny' });
    },
  );

  // Likewise.
  it('sends no refusal beside an answer that the handler has begun [G3]', async () => {
    const { promise: sending, resolve: isSending } = deferred();
    const { promise: refused, resolve: wasRefused } = deferred();
    await using api = await Api.start((app) => {
      app.addHook('onSend', (_request, _reply, payload, done) => {
        isSending();
        void refused.then(() => setImmediate()).then(() => done(null, payload));
      });
      app.get('/:id', { config: { permit: false } }, async (request) => {
        void sending.then(async () => await things.find(request)).then(wasRefused);
        return { of: 'the handler' };
      });
    });
    expect(await api.call({ target: '/forbidden' })).toMatchObject({ status: 200, body: '{"of":"the handler"}' });
  });

  it('answers a refused call without the hooks, if one fails', async () => {
    await using api = await Api.start((app) => {
      app.addHook('onSend', async (_request, reply) => {
        if (reply.statusCode === 403) throw new Error('a hook that fails');
      });
      app.setErrorHandler(async (_error, request) => await things.find(request));
      define(app);
      app.get('/permit/:id', permit('forbidden', thing), async () => 'x');
    });
    for (const target of ['/read/forbidden', '/find/forbidden', '/permit/1']) {
      expect(codeOf(await api.call({ target }))).toBe('policy_denied');
    }
  });

  it('ends no process, whatever number of calls is refused at once', async () => {
    await using api = await Api.start((app) => {
      app.addHook('onSend', (_request, _reply, payload, done) => void setImmediate().then(() => done(null, payload)));
      app.get('/many/:id', { config: { permit: false } }, (request) =>
        Promise.all(Array.from({ length: 20_000 }, () => things.find(request))),
      );
    });
    expect(codeOf(await api.call({ target: '/many/forbidden' }))).toBe('policy_denied');
  });

  it('takes its own answer for none of the application, when a handler asks twice', async () => {
    const onTrouble = vi.fn();
    const { promise: asked, resolve: wasAsked } = deferred();
    const define = (app: FastifyInstance) =>
      app.get('/:id', { config: { permit: false } }, async (request) => {
        await things.find(request);
        await things.find(request);
        wasAsked();
      });
    await using api = await Api.start(define, { guarded: await guarded({ onTrouble }) });
    expect(codeOf(await api.call({ target: '/forbidden' }))).toBe('policy_denied');
    await asked;
    expect(onTrouble).not.toHaveBeenCalled();
  });

  // A second answer would be an error that nothing catches, and fail the run.
  it.each(['read', 'find', 'returns', 'sends', 'throws'])(
    'answers a refused call once, whose client leaves while an onSend hook is at work: %s [G3]',
    async (path) => {
      const { promise: sent, resolve: wasSent } = deferred();
      const around: Record<string, (called: Promise<unknown>, reply: FastifyReply) => unknown> = {
        returns: async (called) => ({ data: await called }),
        sends: async (called, reply) => void (await called.then(() => reply.send('done'))),
        throws: (called) => called.then(() => Promise.reject(new Error('refused'))),
      };
      const sending = vi.fn();
      await using api = await Api.start((app) => {
        app.addHook('onSend', (_request, reply, payload, done) => {
          sending();
          connection.destroy();
          void once(reply.raw, 'close').then(async () => {
            for (let turn = 0; turn < 5; turn++) await setImmediate();
            done(null, payload);
            for (let turn = 0; turn < 5; turn++) await setImmediate();
            wasSent();
          });
        });
        define(app);
        for (const [name, handle] of Object.entries(around)) {
          app.get(`/${name}/:id`, { config: { permit: false } }, (request, reply) =>
            handle(things.find(request), reply),
          );
        }
      });
      const connection = await Connection.open(api.url);
      connection.write(serialized(signed({ target: `/${path}/forbidden` })));
      await sent;
      expect(sending).toHaveBeenCalledOnce();
      expect(api.guarded.audit.records).toMatchObject([{ decision: 'deny' }]);
    },
  );

  it.each([
    ['the method itself', '/read', 'GET', 200, { by: 'agent-1' }],
    ['a bound method', '/create', 'POST', 201, { made: 'things' }],
    ['an arrow function around the method', '/find', 'GET', 200, { found: 'things' }],
    ['a legacy decorator', '/legacy', 'GET', 200, { legacy: true }],
  ])('%s asks before it runs', async (_title, path, method, status, body) => {
    things.ran.length = 0;
    await using api = await Api.start(define);
    const content = method === 'POST' ? { body: '{}' } : {};
    const allowed = await api.call({ target: `${path}/1`, method, ...content });
    expect([allowed.status, JSON.parse(allowed.body)]).toEqual([status, body]);
    const ran = things.ran.length;
    expect(codeOf(await api.call({ target: `${path}/forbidden`, method, ...content }))).toBe('policy_denied');
    expect(things.ran).toHaveLength(ran);
    await outcomeOf(api.guarded);
    expect(api.guarded.queries).toMatchObject([{ action: 'thing.read' }, { action: 'thing.read' }]);
  });

  it('is refused inside an arrow function without a permit in the config, because the route hides it [D8]', async () => {
    await using api = await Api.start((app) => app.get('/:id', (request) => things.find(request)));
    expect(codeOf(await api.call({ target: '/1' }))).toBe('route_unmapped');
  });

  it('does not run the method without its request, or without agentAuth', async () => {
    things.ran.length = 0;
    await expect(things.find()).rejects.toThrow('pass the method its request');
    await using api = await Api.start((app) => app.get('/:id', { config: { permit: false } }, () => things.find()));
    expect((await api.call({ target: '/1' })).status).toBe(500);
    const app = fastify();
    app.get('/:id', things.find.bind(things));
    expect((await app.inject({ url: '/1', headers: { host } })).statusCode).toBe(500);
    expect(things.ran).toEqual([]);
    await app.close();
  });
});

describe('permit, misused', () => {
  const wrong: readonly [string, unknown][] = [
    ['true', true],
    ['an action alone', 'thing.read'],
    ['null', null],
    ['no action', { resource: thing }],
    ['no resource', { action: 'thing.read' }],
    ['a misspelt option', { action: 'thing.read', resource: thing, require: 'x' }],
  ];

  it.each(wrong)('config.permit with %s stops the start [G5]', async (_title, config) => {
    const { guard } = await guarded();
    const app = fastify();
    await app.register(agentAuth, { guard });
    expect(() => app.get('/', { config: { permit: config } as object }, async () => 'x')).toThrow(ConfigError);
  });

  it.each(wrong)('refuses every request to a route that was declared too early: %s [G5]', async (_title, config) => {
    const { guard } = await guarded();
    const app = fastify();
    app.register(agentAuth, { guard });
    app.get('/', { config: { permit: config } as object }, async () => 'x');
    const url = await app.listen({ port: 0, host: '127.0.0.1' });
    expect((await send(url, signed())).status).toBe(500);
    await app.close();
  });

  const lost = { ...permit('thing.read', thing, { agentsOnly: true }), config: { rateLimit: 1 } as object };

  it('a config that replaces a permit stops the start [G5, D8]', async () => {
    const { guard } = await guarded();
    const app = fastify();
    await app.register(agentAuth, { guard });
    expect(() => app.get('/x', lost, async () => 'x')).toThrow("/x: 'config' replaces the permit");
    expect(() => app.get('/y', { ...lost, preHandler: [lost.preHandler] }, async () => 'x')).toThrow(ConfigError);
    const kept = permit('thing.read', thing);
    app.get('/z', { ...kept, config: { ...kept.config, rateLimit: 1 } as object }, async () => 'x');
  });

  it.each([() => signed(), () => unsigned()])(
    'a config that replaces a permit closes a route declared too early [G5, D8]',
    async (requested) => {
      const { guard } = await guarded({ traffic: 'mixed' });
      const app = fastify();
      const handler = vi.fn(async () => 'x');
      app.register(agentAuth, { guard, unmapped: 'authenticated' });
      app.get('/', lost, handler);
      const url = await app.listen({ port: 0, host: '127.0.0.1' });
      expect((await send(url, requested())).status).toBe(500);
      expect(handler).not.toHaveBeenCalled();
      await app.close();
    },
  );

  it.each([
    ['no action', () => permit('', thing)],
    ['no resource', () => permit('thing.read', undefined as unknown as Resource)],
    ['a misspelt option', () => permit('thing.read', thing, { require: 'x' } as object)],
    ['@Permit without an action', () => Permit('', thing)],
  ])('throws a ConfigError immediately for %s [G5]', (_title, make) => {
    expect(make).toThrow(ConfigError);
  });
});

it.each<[string, (body: object) => object]>([
  ['of a plain object', (body) => ({ body })],
  ['that is inherited', (body) => Object.create({ body }) as object],
  [
    'of a class',
    (body) =>
      new (class {
        readonly #body = body;
        get body() {
          return this.#body;
        }
      })(),
  ],
  ['that cannot be enumerated', (body) => Object.defineProperty({}, 'body', { value: body })],
])('permit leaves the validation by a schema %s to Fastify [D8]', async (_title, schemaOf) => {
  const { guard } = await guarded();
  const app = fastify();
  await app.register(agentAuth, { guard });
  const schema = schemaOf({ type: 'object', properties: { amount: { type: 'integer', maximum: 100 } } });
  app.post('/pay', { ...permit('pay', { type: 'Bank', id: 'b' }), schema }, async () => 'paid');
  await app.ready();
  await using served = await serve(app.routing);
  const pay = (amount: number) =>
    send(served.url, signed({ method: 'POST', target: '/pay', body: JSON.stringify({ amount }) }));
  expect((await pay(1_000_000)).status).toBe(400);
  expect((await pay(1)).status).toBe(200);
  await app.close();
});
