import { bodyParser } from '@koa/bodyparser';
import { Router, type RouterContext } from '@koa/router';
import { ConfigError, type Resource } from '@countersign/core';
import type { Context } from 'koa';
import { describe, expect, it, vi } from 'vitest';
import { guarded, outcomeOf, send, serve, signed, unsigned } from '../../../test/support/guarded.js';
import { type AgentState, getCaller, Permit, permit, type PermitOptions, type ResourceOf } from '../src/index.js';
import { Api, type App, codeOf, versions } from './support.js';

const thing: Resource = { type: 'Thing', id: '1' };

interface Route {
  readonly action?: string;
  readonly resource?: ResourceOf<RouterContext<AgentState>>;
  readonly options?: PermitOptions;
}

const handler = vi.fn((ctx: RouterContext<AgentState>) => {
  ctx.body = 'done';
});

/** `GET /things/:id` with a permit. */
function route({ action = 'thing.read', resource = ofRoute, options }: Route = {}): (app: App) => App {
  handler.mockClear();
  const router = new Router<AgentState>();
  router.get('/things/:id', permit(action, resource, options), handler);
  return (app) => {
    app.use(router.routes()).use(router.allowedMethods());
    return app;
  };
}

function ofRoute({ params }: Pick<RouterContext, 'params'>): Resource {
  return { type: 'Thing', id: `${params['id']}` };
}

describe.each(versions)('permit on %s', (_version, create) => {
  it('asks policy about the action on the resource, records the decision, and runs the handler', async () => {
    await using api = await Api.start(create(), route());
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
    await using api = await Api.start(create(), route());
    const response = await api.call({ target: '/things/forbidden' });
    expect(response.status).toBe(403);
    expect(codeOf(response)).toBe('policy_denied');
    expect(handler).not.toHaveBeenCalled();
    expect(api.guarded.audit.records).toMatchObject([{ phase: 'decision', code: 'policy_denied' }]);
  });

  it('refuses where the application has begun to describe its own answer', async () => {
    const define = route();
    await using api = await Api.start(create(), (app) => {
      app.use(async (ctx, next) => {
        ctx.set({ 'Content-Encoding': 'gzip', Trailer: 'Server-Timing' });
        await next();
      });
      return define(app);
    });
    const response = await api.call({ target: '/things/forbidden' });
    expect([response.status, codeOf(response)]).toEqual([403, 'policy_denied']);
    expect(response.headers).not.toHaveProperty('content-encoding');
  });

  it('refuses with insufficient_scope and the missing scope', async () => {
    await using api = await Api.start(create(), route({ options: { requires: 'repo:write' } }));
    const response = await api.call({ target: '/things/1' });
    expect(codeOf(response)).toBe('insufficient_scope');
    expect(response.headers['www-authenticate']).toBe('Bearer error="insufficient_scope", scope="repo:write"');
    expect(handler).not.toHaveBeenCalled();
  });

  it('asks the same for HEAD [D7]', async () => {
    await using api = await Api.start(create(), route());
    expect((await api.call({ method: 'HEAD', target: '/things/forbidden' })).status).toBe(403);
    expect(handler).not.toHaveBeenCalled();
  });

  it.each<[string, string, ResourceOf<RouterContext<AgentState>>]>([
    ['throws', 'resource_unresolved', () => Promise.reject(new Error('database down at 10.0.0.7'))],
    ['gives no id', 'resource_unresolved', () => ({ type: 'Thing' }) as Resource],
    ['is not there', 'policy_denied', () => undefined],
  ])('refuses a resource that %s [D12]', async (_title, code, resource) => {
    const parts = await guarded({ onTrouble: () => {} });
    await using api = await Api.start(create(), route({ resource }), { guarded: parts });
    const response = await api.call({ target: '/things/1' });
    expect(codeOf(response)).toBe(code);
    expect(response.text).not.toContain('database');
    expect(handler).not.toHaveBeenCalled();
  });

  it('refuses with not_authenticated when no agentAuth comes before it [G3]', async () => {
    await using served = await serve(route()(create()).callback());
    expect(codeOf(await send(served.url, unsigned({ target: '/things/1' })))).toBe('not_authenticated');
    expect(codeOf(await send(served.url, signed({ target: '/things/1' })))).toBe('not_authenticated');
    expect(handler).not.toHaveBeenCalled();
  });

  it('leaves unmarked requests to the application in mixed traffic, unless it requires an agent', async () => {
    const parts = await guarded({ traffic: 'mixed' });
    await using open = await Api.start(create(), route(), { guarded: parts });
    expect((await send(open.url, unsigned({ target: '/things/1' }))).body).toBe('done');
    await using closed = await Api.start(create(), route({ options: { agentsOnly: true } }), { guarded: parts });
    expect(codeOf(await send(closed.url, unsigned({ target: '/things/1' })))).toBe('signature_required');
    expect(handler).not.toHaveBeenCalled();
    expect((await closed.call({ target: '/things/1' })).body).toBe('done');
  });

  it('does not change an answer that has begun', async () => {
    await using api = await Api.start(create(), (app) =>
      app
        .use(async (ctx, next) => {
          ctx.res.write('half');
          await next();
        })
        .use(permit('forbidden', thing)),
    );
    const response = await api.call();
    expect(response.body).toMatch(/^half/);
    expect(response.body).not.toContain('policy_denied');
  });

  it('reads the body of an earlier parser', async () => {
    const router = new Router<AgentState>();
    router.post('/', bodyParser(), permit('thing.make', ofBody), (ctx) => {
      ctx.body = ctx.request.body;
    });
    await using api = await Api.start(create(), (app) => app.use(router.routes()));
    expect(JSON.parse((await api.call({ method: 'POST', body: '{"of":"me"}' })).body)).toEqual({ of: 'me' });
    expect(codeOf(await api.call({ method: 'POST', body: '{"of":"forbidden"}' }))).toBe('policy_denied');
  });
});

function ofBody({ request }: Pick<Context, 'request'>): Resource {
  return { type: 'Thing', id: (request.body as { of: string }).of };
}

class Things {
  readonly name = 'things';
  readonly ran: string[] = [];

  @Permit('thing.read', ofRoute)
  async read(ctx: RouterContext<AgentState>): Promise<void> {
    this.ran.push('read');
    ctx.body = { by: getCaller(ctx)?.actor.id, name: this.name };
  }

  @Permit('thing.read', ofRoute)
  async save(_body: unknown, ctx: RouterContext<AgentState>): Promise<void> {
    ctx.body = { by: getCaller(ctx)?.actor.id, name: this.name };
  }
}

/** The compiled form of `@Permit(…) read() {}` with `experimentalDecorators`. */
class Legacy {
  readonly name = 'legacy';
  async read(ctx: RouterContext<AgentState>): Promise<void> {
    ctx.body = { by: getCaller(ctx)?.actor.id, name: this.name };
  }
}
const descriptor = Object.getOwnPropertyDescriptor(Legacy.prototype, 'read') as TypedPropertyDescriptor<Legacy['read']>;
Permit('thing.read', ofRoute)(Legacy.prototype, 'read', descriptor);
Object.defineProperty(Legacy.prototype, 'read', descriptor);

describe.each(versions)('@Permit on %s', (_version, create) => {
  const things = new Things();
  const legacy = new Legacy();

  it.each<[string, string, (ctx: RouterContext<AgentState>) => Promise<void>]>([
    ['a bound method', 'things', things.read.bind(things)],
    ['an arrow function around the method', 'things', (ctx) => things.read(ctx)],
    ['a legacy decorator', 'legacy', (ctx) => legacy.read(ctx)],
  ])('%s asks before it runs', async (_title, name, method) => {
    const router = new Router<AgentState>();
    // An arrow function hides the permit.
    router.get('/things/:id', permit<RouterContext<AgentState>>(false), method);
    await using api = await Api.start(create(), (app) => app.use(router.routes()));
    expect(JSON.parse((await api.call({ target: '/things/1' })).body)).toEqual({ by: 'agent-1', name });
    const ran = things.ran.length;
    expect(codeOf(await api.call({ target: '/things/forbidden' }))).toBe('policy_denied');
    expect(things.ran).toHaveLength(ran);
  });

  it('never takes a body for the context [G1]', async () => {
    const router = new Router<AgentState>();
    const body = JSON.parse('{"req":{"rawHeaders":[]},"originalUrl":"/"}') as unknown;
    router.get('/things/:id', permit<RouterContext<AgentState>>(false), (ctx) => things.save(body, ctx));
    await using api = await Api.start(create(), (app) => app.use(router.routes()));
    expect(codeOf(await api.call({ target: '/things/forbidden' }))).toBe('policy_denied');
    expect(JSON.parse((await api.call({ target: '/things/1' })).body)).toEqual({ by: 'agent-1', name: 'things' });
  });

  it('does not run the method without its context, or without agentAuth', async () => {
    things.ran.length = 0;
    await expect(things.read(undefined as unknown as RouterContext<AgentState>)).rejects.toThrow('its context');
    const router = new Router<AgentState>();
    router.get('/things/:id', things.read.bind(things));
    await using served = await serve(create().use(router.routes()).callback());
    expect(codeOf(await send(served.url, signed({ target: '/things/1' })))).toBe('not_authenticated');
    expect(things.ran).toEqual([]);
  });
});

describe('permit, misused', () => {
  it.each([
    ['no action', () => permit('', thing)],
    ['no resource', () => permit('thing.read', undefined as unknown as Resource)],
    ['a misspelt option', () => permit('thing.read', thing, { require: 'x' } as object)],
    ['@Permit without an action', () => Permit('', thing)],
  ])('throws a ConfigError immediately for %s [G5]', (_title, make) => {
    expect(make).toThrow(ConfigError);
  });
});
