import { agentAuth as forFastify } from '@countersign/fastify';
import { Controller, Get, type MiddlewareConsumer, Module, Next, Post, Req, Res } from '@nestjs/common';
import { NestFactory, RouterModule } from '@nestjs/core';
import type { NestExpressApplication } from '@nestjs/platform-express';
import type { NestFastifyApplication } from '@nestjs/platform-fastify';
import { fastify } from 'fastify';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { describe, expect, it } from 'vitest';
import { guarded, send, signed } from '../../../test/support/guarded.js';
import { CountersignModule, Permit } from '../src/index.js';
import { adapterOf, Api, codeOf, platforms } from './support.js';

const thing = { type: 'Thing', id: '1' };
type Answer = { end(text: string): void };
type Sender = { send(text: string): void };

@Controller('parts')
class Parts {
  @Get()
  @Permit('part.read', thing)
  read(): string {
    return 'parts';
  }

  @Post()
  add(): string {
    return 'added';
  }
}

describe.each(platforms)('a route on %s', (platform) => {
  it('without a permit is open after the coarse decision of everyRequest, about the method that was signed', async () => {
    await using api = await Api.start(platform, [Parts], { countersign: { everyRequest: true } });
    expect((await api.call({ method: 'POST', target: '/parts' })).body).toBe('added');
    expect(api.guarded.queries).toMatchObject([{ action: 'http.post', resource: { type: 'Path', id: '/parts' } }]);
  });

  it('of a dynamic module, with a prefix of its own, is like every other', async () => {
    const part = { module: class PartModule {}, controllers: [Parts] };
    const routes = RouterModule.register([{ path: 'shop', module: part.module }]);
    await using api = await Api.start(platform, [], { imports: [part, routes] });
    expect((await api.call({ target: '/shop/parts' })).body).toBe('parts');
    expect(codeOf(await api.call({ method: 'POST', target: '/shop/parts' }))).toBe('route_unmapped');
  });

  it('with a slash at its end, in other case, or with a query has the permit of the route that runs', async () => {
    @Controller()
    class Forbidden {
      @Get('things')
      @Permit('forbidden', thing)
      things(): string {
        return 'things';
      }
    }
    await using api = await Api.start(platform, [Forbidden]);
    for (const target of ['/things/', '/Things', '/things?x=1', '/THINGS/?', '/%74hings']) {
      const answer = await api.call({ target });
      expect([403, 404], target).toContain(answer.status);
      expect(answer.body).not.toBe('things');
    }
  });

  it('that another one shadows or passes on to is closed, too [D8]', async () => {
    @Controller()
    class Passing {
      @Get('passed')
      @Permit('thing.read', thing)
      first(@Next() next: () => void): void {
        next();
      }
    }
    @Controller()
    class Second {
      @Get('passed')
      second(): string {
        return 'second';
      }
    }
    // Fastify knows no second route for a path.
    if (platform === 'fastify') return;
    await using api = await Api.start(platform, [Passing, Second]);
    expect(codeOf(await api.call({ target: '/passed' }))).toBe('route_unmapped');
  });

  it('of the platform itself is closed [D8]', async () => {
    await using api = await Api.start(platform, [Parts], {
      async main(app) {
        if (platform === 'express') {
          const server = (app as NestExpressApplication).getHttpAdapter().getInstance();
          server.get('/raw', (_req: unknown, res: Answer) => res.end('raw'));
          server.all('/every', (_req: unknown, res: Answer) => res.end('raw'));
          return;
        }
        const server = (app as NestFastifyApplication).getHttpAdapter().getInstance();
        server.get('/raw', async () => 'raw');
        await server.register(async (child) => {
          child.all('/every', async () => 'raw');
        });
      },
    });
    for (const target of ['/raw', '/every']) expect(codeOf(await api.call({ target })), target).toBe('route_unmapped');
    expect(codeOf(await api.call({ method: 'PUT', target: '/every' }))).toBe('route_unmapped');
  });

  it('behind the middleware of a module is decided about, and middleware that answers is recorded as undecided', async () => {
    class Answering {
      configure(consumer: MiddlewareConsumer): void {
        consumer.apply((_req: unknown, res: Answer) => res.end('from middleware')).forRoutes('answered');
        consumer.apply((_req: unknown, _res: unknown, next: () => void) => next()).forRoutes(Parts);
      }
    }
    Module({})(Answering);
    const troubles: string[] = [];
    const parts = await guarded({ onTrouble: (text) => void troubles.push(text) });
    await using api = await Api.start(platform, [Parts], { imports: [Answering], guarded: parts });
    expect((await api.call({ target: '/parts' })).body).toBe('parts');
    expect(codeOf(await api.call({ method: 'POST', target: '/parts' }))).toBe('route_unmapped');
    expect((await api.call({ target: '/answered' })).body).toBe('from middleware');
    const outcomes = () => parts.audit.records.flatMap(({ outcome }) => outcome ?? []);
    await expect.poll(() => outcomes().at(-1)).toMatchObject({ undecided: true });
    expect(troubles).toEqual([expect.stringMatching(/"GET \/answered" served an agent without a decision/)]);
  });

  it('whose method the application gives to the platform, too, stays closed [D8]', async () => {
    await using api = await Api.start(platform, [Parts], {
      main: (app) => {
        const adapter = app.getHttpAdapter() as { post(path: string, handler: unknown): void };
        adapter.post('/alias', Parts.prototype.add);
      },
    });
    expect(codeOf(await api.call({ method: 'POST', target: '/parts' }))).toBe('route_unmapped');
  });

  it.each(['', ' below a copy of its metadata'])(
    'of a method that the application gives to the platform%s is closed, whatever its permit [D8]',
    async (copy) => {
      @Controller('reports')
      class Reports {
        @Get('export')
        @Permit('forbidden', thing)
        export(@Req() _request: unknown, @Res() response: Sender): void {
          response.send('exported');
        }

        @Get('closed')
        closed(@Req() _request: unknown, @Res() response: Sender): void {
          response.send('closed');
        }

        @Get('open')
        @Permit('thing.read', thing)
        open(@Req() _request: unknown, @Res() response: Sender): void {
          response.send('open');
        }
      }
      const names = ['export', 'closed', 'open'] as const;
      await using api = await Api.start(platform, [Reports], {
        main: (app) => {
          const adapter = app.getHttpAdapter() as { get(path: string, handler: unknown): void };
          for (const name of names) {
            const method = Reports.prototype[name];
            const handler = copy === '' ? method : (request: unknown, response: Sender) => method(request, response);
            for (const key of Reflect.getMetadataKeys(method)) {
              Reflect.defineMetadata(key, Reflect.getMetadata(key, method), handler);
            }
            adapter.get(`/old/${name}`, handler);
          }
        },
      });
      for (const name of names) expect(codeOf(await api.call({ target: `/old/${name}` })), name).toBe('route_unmapped');
      expect(codeOf(await api.call({ target: '/reports/export' }))).toBe('policy_denied');
      expect(codeOf(await api.call({ target: '/reports/closed' }))).toBe('route_unmapped');
      expect((await api.call({ target: '/reports/open' })).body).toBe('open');
    },
  );

  it('of an application whose instances are decorated is decided about', async () => {
    const { guard } = await guarded();
    const module = {
      module: class AppModule {},
      controllers: [Parts],
      imports: [CountersignModule.forRoot({ guard })],
    };
    const instrument = {
      instanceDecorator: (instance: unknown) =>
        typeof instance === 'object' && instance !== null ? new Proxy(instance, {}) : instance,
    };
    const app = await NestFactory.create(module, adapterOf(platform), {
      logger: false,
      abortOnError: false,
      instrument,
    });
    await app.listen(0, '127.0.0.1');
    const url = await app.getUrl();
    expect((await send(url, signed({ target: '/parts' }))).body).toBe('parts');
    expect(codeOf(await send(url, signed({ method: 'POST', target: '/parts' })))).toBe('route_unmapped');
    await app.close();
  });

  it('that answers by the response of the platform is decided about', async () => {
    @Controller()
    class Manual {
      @Get('manual')
      @Permit('thing.read', thing)
      manual(@Req() _request: object, @Res() response: Sender): void {
        response.send('manual');
      }

      @Get('closed')
      closed(@Res() response: Sender): void {
        response.send('closed');
      }
    }
    await using api = await Api.start(platform, [Manual]);
    expect((await api.call({ target: '/manual' })).body).toBe('manual');
    expect(codeOf(await api.call({ target: '/closed' }))).toBe('route_unmapped');
  });
});

it('a route on Express is refused by Nest after a middleware of Fastify has handed the request back [G7]', async () => {
  @Controller()
  class Things {
    @Get('denied')
    @Permit('forbidden', thing)
    denied(): string {
      return 'denied';
    }

    @Get('closed')
    closed(): string {
      return 'closed';
    }
  }
  const parts = await guarded();
  const inner = fastify();
  await inner.register(forFastify, { guard: parts.guard });
  inner.setNotFoundHandler((request, reply) => {
    reply.hijack();
    (request.raw as IncomingMessage & { readonly handBack: () => void }).handBack();
  });
  await inner.ready();
  await using api = await Api.start('express', [Things], {
    guarded: parts,
    main: (app) =>
      app.use((request: IncomingMessage, response: ServerResponse, next: () => void) =>
        inner.routing(Object.assign(request, { handBack: next }), response),
      ),
  });
  expect(codeOf(await api.call({ target: '/denied' }))).toBe('policy_denied');
  expect(codeOf(await api.call({ target: '/closed' }))).toBe('route_unmapped');
});
