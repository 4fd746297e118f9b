import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import type { Guard } from '@countersign/core';
import type { PermitOptions } from '@countersign/core/adapter';
import {
  Controller,
  Get,
  Inject,
  Injectable,
  type INestApplication,
  type MiddlewareConsumer,
  Module,
} from '@nestjs/common';
import { ExternalContextCreator, HttpAdapterHost, NestFactory } from '@nestjs/core';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { Test } from '@nestjs/testing';
import express, { type Express, json as jsonParser } from 'express';
import { fastify } from 'fastify';
import supertest from 'supertest';
import { describe, expect, it, vi } from 'vitest';
import { guarded, host, key, send, signed, unsigned } from '../../../test/support/guarded.js';
import { signedRequest } from '../../../test/support/signed-request.js';
import {
  actingUser,
  COUNTERSIGN,
  CountersignModule,
  type CountersignOptions,
  getCaller,
  Permit,
} from '../src/index.js';
import { adapterOf, Api, codeOf, platforms } from './support.js';

const settings = { logger: false, abortOnError: false } as const;
const thing = { type: 'Thing', id: '1' };
/** On Express 4, where the adapter of Nest mounts nothing itself. */
const isNest10 = 'lazyrouter' in adapterOf('express').getInstance<object>();

@Controller()
class Things {
  @Get()
  @Permit('thing.read', thing)
  hello(): string {
    return 'Hello World!';
  }

  @Get('closed')
  closed(): string {
    return 'closed';
  }
}

/** A function as tracing wraps it: of another name, with all its parameters. */
function traced(value: unknown): unknown {
  if (typeof value !== 'function') return value;
  const wrapped = function handlerWrapped(this: unknown, ...args: unknown[]): unknown {
    return Reflect.apply(value, this, args) as unknown;
  };
  return Object.defineProperty(wrapped, 'length', { value: value.length });
}

it('on fastify, verifies a request before any middleware in the plugins that its own instance of Fastify had before [G3]', async () => {
  const instance = fastify();
  instance.register(async (plugin) => {
    plugin.addHook('onRequest', async () => {});
    plugin.get('/status', { config: { permit: false } }, async () => 'up');
    plugin.register(async (inner) => void inner.get('/inner', { config: { permit: false } }, async () => 'up'));
  });
  const ran = vi.fn((_request: unknown, response: { end(text: string): void }) => response.end('mounted'));
  const adapter = new FastifyAdapter(instance);
  await using api = await Api.start('fastify', [Things], { adapter, main: (app) => app.use(ran) });
  for (const target of ['/status', '/inner', '/']) {
    expect(codeOf(await api.send(unsigned({ target })))).toBe('signature_required');
  }
  expect(ran).not.toHaveBeenCalled();
  expect(await api.call({ target: '/status' })).toMatchObject({ status: 200, body: 'mounted' });
});

it('on fastify, does not start with @fastify/express in a plugin that its own instance had before [G5]', async () => {
  const { guard } = await guarded();
  const express = Object.assign(async () => {}, {
    [Symbol.for('skip-override')]: true,
    [Symbol.for('plugin-meta')]: { name: '@fastify/express' },
  });
  const instance = fastify();
  instance.register(async (plugin) => void plugin.register(express));
  const module = { module: class AppModule {}, imports: [CountersignModule.forRoot({ guard })] };
  const app = await NestFactory.create(module, new FastifyAdapter(instance), settings);
  await expect(app.listen(0, '127.0.0.1')).rejects.toThrow('@fastify/express');
});

describe.each(platforms)('CountersignModule on %s', (platform) => {
  it('verifies a request before any middleware of a module sees it', async () => {
    const seen: unknown[] = [];
    class Part {
      configure(consumer: MiddlewareConsumer): void {
        const note = (request: object, _response: unknown, next: () => void) => {
          seen.push(getCaller(request)?.actor.id, actingUser(request));
          next();
        };
        consumer.apply(note).forRoutes(Things);
      }
    }
    const early = (_request: unknown, _response: unknown, next: () => void) => {
      seen.push('main');
      next();
    };
    Module({})(Part);
    await using api = await Api.start(platform, [Things], { imports: [Part], main: (app) => app.use(early) });
    expect(codeOf(await api.send(unsigned()))).toBe('signature_required');
    expect(seen).toEqual([]);
    expect((await api.call()).status).toBe(200);
    expect(new Set(seen)).toEqual(new Set(['agent-1', 'main', undefined]));
  });

  it('verifies a request before any middleware, also where tracing wraps the hooks and handlers of the platform [G3]', async () => {
    const adapter = adapterOf(platform);
    const instance = adapter.getInstance<Record<'addHook' | 'use', (...args: unknown[]) => unknown>>();
    for (const name of ['addHook', 'use'] as const) {
      const add = instance[name];
      if (add === undefined) continue;
      instance[name] = function addTraced(...args) {
        return Reflect.apply(add, this, args.map(traced));
      };
    }
    const ran = vi.fn((_request: unknown, response: { end(text: string): void }) => response.end('mounted'));
    const main = (app: INestApplication) => app.use('/dashboard', ran);
    await using api = await Api.start(platform, [Things], { adapter, main });
    for (const target of ['/dashboard', '/']) {
      expect(codeOf(await api.send(unsigned({ target })))).toBe('signature_required');
    }
    expect(ran).not.toHaveBeenCalled();
    expect(await api.call({ target: '/dashboard' })).toMatchObject({ status: 200, body: 'mounted' });
  });

  it('answers refusals with the same bytes as every host', async () => {
    await using api = await Api.start(platform, [Things]);
    const { status, headers, body } = await api.call({ target: '/closed' });
    expect([status, headers['content-type'], headers['cache-control']]).toEqual([
      403,
      'application/problem+json',
      'no-store',
    ]);
    expect(JSON.parse(body)).toMatchObject({ status: 403, code: 'route_unmapped' });
    const { headers: challenged } = await api.send(unsigned());
    expect(challenged).toMatchObject({ 'www-authenticate': expect.stringContaining('Signature') });
  });

  it('closes the routes that no controller has, and 404 stays 404', async () => {
    await using api = await Api.start(platform, [Things], {
      main: (app) => {
        const answer = (_request: unknown, reply: { send(text: string): void }) => reply.send('administration');
        (app.getHttpAdapter() as ExpressAdapter).get('/admin', answer);
      },
    });
    expect(codeOf(await api.call({ target: '/admin' }))).toBe('route_unmapped');
    expect((await api.call({ target: '/nowhere' })).status).toBe(404);
  });

  it('works in a testing module with supertest, and with another guard in place of the own one', async () => {
    const { guard } = await guarded();
    const useFactory = vi.fn<() => Guard>();
    const module = await Test.createTestingModule({
      imports: [CountersignModule.forRootAsync({ useFactory })],
      controllers: [Things],
    })
      .overrideProvider(COUNTERSIGN)
      .useValue(guard)
      .compile();
    expect(useFactory).not.toHaveBeenCalled();
    const app = module.createNestApplication(adapterOf(platform) as never);
    await app.init();
    await (app.getHttpAdapter().getInstance() as { ready?(): Promise<void> }).ready?.();
    await supertest(app.getHttpServer()).get('/').set('Host', host).expect(401);
    const { fields } = signedRequest({ key, host, target: '/' });
    const request = supertest(app.getHttpServer()).get('/');
    for (const [name, value] of fields) void request.set(name, value);
    await request.expect(200, 'Hello World!');
    const closed = signedRequest({ key, host, target: '/closed' });
    const second = supertest(app.getHttpServer()).get('/closed');
    for (const [name, value] of closed.fields) void second.set(name, value);
    await second.expect(403);
    await app.close();
  });

  it('creates the guard from injected providers, offers it for injection, and closes it with the application', async () => {
    const { guard } = await guarded();
    const close = vi.fn(guard.close);
    @Injectable()
    class Settings {
      readonly guard: Guard = { ...guard, close };
    }
    @Controller()
    class Injecting {
      constructor(@Inject(COUNTERSIGN) readonly guard: Guard) {}

      @Get()
      @Permit(false)
      read(): string {
        return this.guard.mode;
      }
    }
    const settingsModule = { module: class SettingsModule {}, providers: [Settings], exports: [Settings] };
    const module = {
      module: class AppModule {},
      controllers: [Injecting],
      imports: [
        CountersignModule.forRootAsync({
          imports: [settingsModule],
          inject: [Settings],
          useFactory: async (made: Settings) => made.guard,
        }),
      ],
    };
    const app = await NestFactory.create(module, adapterOf(platform), settings);
    await app.listen(0, '127.0.0.1');
    expect((await send(await app.getUrl(), signed())).body).toBe('enforce');
    expect(close).not.toHaveBeenCalled();
    const isClosed = vi.fn();
    app.getHttpServer().once('close', isClosed);
    await app.close();
    expect(close).toHaveBeenCalledOnce();
    // The server waits for connections that only the guard cuts.
    expect(close).toHaveBeenCalledBefore(isClosed);
  });
});

describe('CountersignModule', () => {
  it('is refused at start where it is imported twice', async () => {
    const { guard } = await guarded();
    const imports = [CountersignModule.forRoot({ guard }), CountersignModule.forRootAsync({ useFactory: () => guard })];
    const starting = NestFactory.create({ module: class AppModule {}, imports }, settings);
    await expect(starting).rejects.toThrow('import it once, in the root module');
  });

  it('is refused at start where an instance of Express parses bodies already', async () => {
    const { guard } = await guarded();
    const server = express().use(jsonParser());
    const module = { module: class AppModule {}, imports: [CountersignModule.forRoot({ guard })] };
    const starting = NestFactory.create(module, new ExpressAdapter(server), settings);
    await expect(starting).rejects.toThrow('jsonParser would read bodies before they have been verified');
  });

  it.each([{ guard: {} }, { guard: undefined }, { everyRequest: 'yes' }])(
    'is refused at start with %o',
    async (wrong) => {
      const { guard } = await guarded();
      const imports = [CountersignModule.forRoot({ guard, ...wrong } as unknown as { guard: Guard })];
      const starting = NestFactory.create({ module: class AppModule {}, imports }, settings);
      await expect(starting).rejects.toMatchObject({
        name: 'ConfigError',
        message: expect.stringMatching('^agentAuth:'),
      });
    },
  );

  it('is refused at start on a platform that it does not know', async () => {
    const { guard } = await guarded();
    class Hapi extends ExpressAdapter {
      override getType(): string {
        return 'hapi';
      }
    }
    const module = { module: class AppModule {}, imports: [CountersignModule.forRoot({ guard })] };
    await expect(NestFactory.create(module, new Hapi(), settings)).rejects.toThrow(
      "'hapi' is neither express nor fastify",
    );
  });

  it('leaves what an instance of Express mounted before to everybody, and nothing else', async () => {
    const troubles: string[] = [];
    const { guard } = await guarded({ onTrouble: (trouble) => troubles.push(trouble) });
    const server = express().get('/health', (_req, res) => void res.send('well'));
    const module = {
      module: class AppModule {},
      controllers: [Things],
      imports: [CountersignModule.forRoot({ guard })],
    };
    const app = await NestFactory.create(module, new ExpressAdapter(server), settings);
    await app.listen(0, '127.0.0.1');
    const url = await app.getUrl();
    expect((await send(url, unsigned({ target: '/health' }))).body).toBe('well');
    expect(codeOf(await send(url, unsigned({ target: '/health/more' })))).toBe('signature_required');
    expect(troubles).toEqual([expect.stringContaining('mounted before CountersignModule: /health')]);
    await app.close();
  });

  it.skipIf(isNest10).each([
    ['', (handle: object): object => handle],
    [
      ', also where tracing wraps the layers',
      (handle) => Object.assign(traced(handle) as object, { __original: handle }),
    ],
    [
      ', also where two tracers wrap them',
      (handle) =>
        [1, 2].reduce((wrapped: object) => Object.assign(traced(wrapped) as object, { __original: wrapped }), handle),
    ],
    [', also where tracing hides them', (handle) => traced(handle) as object],
  ])('comes before what a provider has mounted on Express in its constructor%s [D8]', async (_where, wrap) => {
    const adapter = new ExpressAdapter(express());
    for (const layer of adapter.getInstance<Express>().router.stack) layer.handle = wrap(layer.handle) as never;
    @Injectable()
    class Early {
      constructor(@Inject(HttpAdapterHost) { httpAdapter }: HttpAdapterHost<ExpressAdapter>) {
        const answer = (_request: unknown, response: { end(text: string): void }) => response.end('open');
        httpAdapter.use('/admin', answer);
        httpAdapter.get('/metrics', answer);
        httpAdapter.use(jsonParser());
      }
    }
    await using api = await Api.start('express', [Things], { adapter, providers: [Early] });
    expect(codeOf(await api.send(unsigned({ target: '/admin' })))).toBe('signature_required');
    expect(codeOf(await api.send(unsigned({ target: '/metrics' })))).toBe('signature_required');
    expect(codeOf(await api.call({ target: '/metrics' }))).toBe('route_unmapped');
    expect((await api.call()).status).toBe(200);
  });

  it.runIf(isNest10)('names at start what stands before it when the adapter for Express has no layer', async () => {
    @Injectable()
    class Early {
      constructor(@Inject(HttpAdapterHost) { httpAdapter }: HttpAdapterHost<ExpressAdapter>) {
        httpAdapter.use('/admin', () => {});
        httpAdapter.use(function early() {});
        httpAdapter.get('/metrics', () => {});
      }
    }
    const troubles: string[] = [];
    const { guard } = await guarded({ onTrouble: (trouble) => troubles.push(trouble) });
    const module = { module: class AppModule {}, imports: [CountersignModule.forRoot({ guard })], providers: [Early] };
    const app = await NestFactory.create(module, new ExpressAdapter(express()), settings);
    // Old versions of Express do not keep the path of middleware.
    const named = /mounted before CountersignModule: (?:\/admin|<anonymous>), early, \/metrics$/;
    expect(troubles).toEqual([expect.stringMatching(named)]);
    await app.close();
  });

  it('works without a platform, in an application context', async () => {
    const { guard } = await guarded();
    const module = { module: class AppModule {}, imports: [CountersignModule.forRoot({ guard })] };
    const context = await NestFactory.createApplicationContext(module, settings);
    expect(context.get<Guard>(COUNTERSIGN)).toBe(guard);
    await context.close();
  });
});

describe('a handler outside of HTTP', () => {
  class Resolver {
    ran = 0;

    orders(): string {
      this.ran += 1;
      return 'orders';
    }
  }

  /** Calls the resolver like `@nestjs/graphql`, or a handler of messages, with the request of a route. */
  async function startResolver(
    contextType: string,
    argsOf: (request: object) => unknown[],
    resolver = new Resolver(),
    countersign: Partial<CountersignOptions> = {},
    times = 1,
  ) {
    @Controller()
    class Gateway {
      constructor(@Inject(ExternalContextCreator) readonly creator: ExternalContextCreator) {}

      @Get()
      @Permit(false)
      unused(): void {}
    }
    const parts = await guarded({ traffic: 'mixed' });
    const api = await Api.start('express', [Gateway], {
      guarded: parts,
      countersign,
      main: (app) => {
        const creator = app.get(ExternalContextCreator);
        const run = creator.create(
          resolver,
          resolver.orders,
          'orders',
          undefined,
          undefined,
          undefined,
          undefined,
          {
            guards: true,
            filters: true,
            interceptors: true,
          },
          contextType,
        );
        app.use('/graphql', (request: object, response: { end(text: string): void }) => {
          const runs = Array.from({ length: times }, async () => (await run(...argsOf(request))) as string);
          void Promise.race(runs).then(
            (text) => response.end(text),
            (error: Error) => response.end(error.message),
          );
        });
      },
    });
    return { api, resolver };
  }

  it.each([
    ['in the context of Apollo', (request: object) => [{}, {}, { req: request }, {}]],
    ['in that of Mercurius', (request: object) => [{}, {}, { reply: { request: { raw: request } } }, {}]],
    ['as an argument', (request: object) => [null, request]],
  ])('is closed to agents, and open to people, when GraphQL has the request %s [D8]', async (_where, argsOf) => {
    const { api, resolver } = await startResolver('graphql', argsOf);
    await using _closing = api;
    expect(codeOf(await api.call({ target: '/graphql' }))).toBe('route_unmapped');
    expect(resolver.ran).toBe(0);
    expect(api.guarded.audit.records[0]).toMatchObject({ detail: 'Resolver.orders asks for no permission' });
    expect((await api.send(unsigned({ target: '/graphql' }))).body).toBe('orders');
  });

  it('is closed when GraphQL has a context without the request [D8]', async () => {
    const { api, resolver } = await startResolver('graphql', () => [{}, {}, { user: undefined }, {}]);
    await using _closing = api;
    expect((await api.call({ target: '/graphql' })).body).toContain('this call has no HTTP request');
    expect(resolver.ran).toBe(0);
  });

  it('is closed when GraphQL has a copy of a request that names a protocol to upgrade to [D8]', async () => {
    const { api, resolver } = await startResolver('graphql', (request) => [
      {},
      {},
      { req: Object.create(request) },
      {},
    ]);
    await using _closing = api;
    const { fields, ...request } = signed({ target: '/graphql' });
    const answer = await api.send({ ...request, fields: [...fields, ['Upgrade', 'websocket']] });
    expect(answer.body).toContain('this call has no HTTP request');
    expect(resolver.ran).toBe(0);
  });

  it('runs for a query over a WebSocket, which authenticates by itself', async () => {
    const upgrade = Object.assign(new IncomingMessage(new Socket()), { upgrade: true });
    const { api, resolver } = await startResolver('graphql', () => [{}, {}, { extra: { request: upgrade } }, {}]);
    await using _closing = api;
    expect((await api.call({ target: '/graphql' })).body).toBe('orders');
    expect(resolver.ran).toBe(1);
  });

  const ofApollo = (request: object) => [{}, {}, { req: request }, {}];

  function permittedResolver(options: PermitOptions = {}): Resolver {
    class Permitted extends Resolver {
      @Permit('forbidden', thing, options)
      override orders(): string {
        return super.orders();
      }
    }
    return new Permitted();
  }

  it.each<[string, Parameters<typeof startResolver>[3]]>([
    ['every request is decided', { everyRequest: true }],
    ['routes without a permit are open', { unmapped: 'authenticated' }],
    ['routes without a permit are closed', {}],
  ])('of GraphQL is asked for its own permit where %s [D8]', async (_where, countersign) => {
    const { api, resolver } = await startResolver('graphql', ofApollo, permittedResolver(), countersign);
    await using _closing = api;
    expect(codeOf(await api.call({ target: '/graphql' }))).toBe('policy_denied');
    expect(resolver.ran).toBe(0);
    const { action, code } = api.guarded.audit.records.findLast(({ phase }) => phase === 'decision') ?? {};
    expect({ action, code }).toStrictEqual({ action: 'forbidden', code: 'policy_denied' });
    expect((await api.send(unsigned({ target: '/graphql' }))).body).toBe('orders');
  });

  /** A decorator has lost the permit, and Nest does not know the class, so it does not stop the start. */
  function lostResolver(): Resolver {
    class Lost extends Resolver {
      @(
        (_target: object, _key: string, { value }: PropertyDescriptor) => ({
          value: (...args: unknown[]) => Reflect.apply(value as Resolver['orders'], resolver, args),
        })
      )
      @Permit('thing.read', thing)
      override orders(): string {
        return super.orders();
      }
    }
    const resolver = new Lost();
    return resolver;
  }

  it('of GraphQL is closed to agents when it has lost its permit, also where every request is decided [D8]', async () => {
    const { api, resolver } = await startResolver('graphql', ofApollo, lostResolver(), { everyRequest: true });
    await using _closing = api;
    expect(codeOf(await api.call({ target: '/graphql' }))).toBe('route_unmapped');
    expect(resolver.ran).toBe(0);
    expect((await api.send(unsigned({ target: '/graphql' }))).body).toBe('orders');
  });

  it('is closed to messages when it has lost its permit [D8]', async () => {
    const { api, resolver } = await startResolver('rpc', () => [{ text: 'a message' }], lostResolver());
    await using _closing = api;
    expect((await api.send(unsigned({ target: '/graphql' }))).body).toContain('this call has no HTTP request');
    expect(resolver.ran).toBe(0);
  });

  it('of GraphQL leaves one refusal when a document names it many times', async () => {
    const { api, resolver } = await startResolver('graphql', ofApollo, permittedResolver(), {}, 100);
    await using _closing = api;
    expect(codeOf(await api.call({ target: '/graphql' }))).toBe('policy_denied');
    expect(resolver.ran).toBe(0);
    expect(api.guarded.queries).toHaveLength(1);
  });

  it('of GraphQL is closed to people by a permit for agents only [A17]', async () => {
    const { api, resolver } = await startResolver('graphql', ofApollo, permittedResolver({ agentsOnly: true }));
    await using _closing = api;
    expect(codeOf(await api.send(unsigned({ target: '/graphql' })))).toBe('signature_required');
    expect(resolver.ran).toBe(0);
  });

  it('is closed to messages when it has a permit, which cannot be asked', async () => {
    class Permitted extends Resolver {
      @Permit('thing.read', thing)
      override orders(): string {
        return super.orders();
      }
    }
    const { api, resolver } = await startResolver('rpc', () => [{ text: 'a message' }], new Permitted());
    await using _closing = api;
    expect((await api.send(unsigned({ target: '/graphql' }))).body).toContain('this call has no HTTP request');
    expect(resolver.ran).toBe(0);
  });

  it('runs for a message, which has no request', async () => {
    const { api, resolver } = await startResolver('rpc', () => [{ text: 'a message' }, undefined]);
    await using _closing = api;
    expect((await api.send(unsigned({ target: '/graphql' }))).body).toBe('orders');
    expect(resolver.ran).toBe(1);
  });
});
