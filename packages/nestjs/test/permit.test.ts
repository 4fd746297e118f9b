import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import {
  All,
  Body,
  type CanActivate,
  Catch,
  Controller,
  Delete,
  type ExceptionFilter,
  type ExecutionContext,
  Get,
  Head,
  Header,
  Injectable,
  type NestInterceptor,
  Param,
  ParseIntPipe,
  Post,
  Req,
  Res,
  Scope,
  UseFilters,
  UseGuards,
  UseInterceptors,
  Version,
  VersioningType,
} from '@nestjs/common';
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, NestFactory } from '@nestjs/core';
import { Permit as ExpressPermit } from '@countersign/express';
import { describe, expect, it, vi } from 'vitest';
import { agentId, guarded, send, signed, unsigned } from '../../../test/support/guarded.js';
import { patiently } from '../../../test/support/patiently.js';
import { Caller, Permit, type PermitRequest } from '../src/index.js';
import { adapterOf, Api, codeOf, json, platforms } from './support.js';

const order = ({ params }: PermitRequest) => ({ type: 'Order', id: params['id'] });

let ran: string[] = [];

@Controller('orders')
class Orders {
  @Get(':id')
  @Permit('order.read', order)
  read(@Param('id') id: string, @Caller() caller: Caller): object {
    return { id, by: caller.actor.id };
  }

  @Post(':id/notes')
  @Permit('order.annotate', order, { requires: 'repo:read' })
  annotate(@Param('id') id: string, @Body() body: object): object {
    return { id, body };
  }

  @Post(':id/refunds')
  @Permit('order.refund', order, { requires: 'refunds' })
  refund(): void {
    ran.push('refund');
  }

  @Delete(':id')
  remove(@Param('id', ParseIntPipe) id: number): void {
    ran.push(`removed ${id}`);
  }

  @Get('denied/:id')
  @Permit('forbidden', order)
  denied(): void {
    ran.push('denied');
  }
}

describe.each(platforms)('@Permit on %s', (platform) => {
  it('asks policy about the resource of the route, and injects the caller', async () => {
    await using api = await Api.start(platform, [Orders]);
    const answer = await api.call({ target: '/orders/17' });
    expect([answer.status, json(answer)]).toEqual([200, { id: '17', by: agentId }]);
    expect(api.guarded.queries).toMatchObject([{ action: 'order.read', resource: { type: 'Order', id: '17' } }]);
    expect(api.guarded.audit.records[0]).toMatchObject({ phase: 'decision', decision: 'allow', action: 'order.read' });
  });

  it('lets the parser of Nest read the verified body', async () => {
    await using api = await Api.start(platform, [Orders]);
    const body = Buffer.from(JSON.stringify({ text: 'call back' }));
    const answer = await api.call({ method: 'POST', target: '/orders/17/notes', body });
    expect([answer.status, json(answer)]).toEqual([201, { id: '17', body: { text: 'call back' } }]);
  });

  it('refuses before guards, pipes, interceptors and filters of the application, which see nothing [D8]', async () => {
    ran = [];
    const providers = [
      { provide: APP_GUARD, useClass: Spy },
      { provide: APP_INTERCEPTOR, useClass: Spy },
      { provide: APP_FILTER, useClass: Spy },
    ];
    await using api = await Api.start(platform, [Orders], { providers, main: (app) => app.useGlobalGuards(new Spy()) });
    expect(codeOf(await api.call({ target: '/orders/denied/17' }))).toBe('policy_denied');
    expect(codeOf(await api.call({ method: 'POST', target: '/orders/17/refunds' }))).toBe('insufficient_scope');
    expect(codeOf(await api.call({ method: 'DELETE', target: '/orders/no-number' }))).toBe('route_unmapped');
    expect(ran).toEqual([]);
    expect((await api.call({ target: '/orders/17' })).status).toBe(200);
    expect(ran).toEqual(['guard', 'guard', 'interceptor']);
  });

  it('is closed for an agent without it, with the route in the record [D8]', async () => {
    await using api = await Api.start(platform, [Orders]);
    expect(codeOf(await api.call({ method: 'DELETE', target: '/orders/17' }))).toBe('route_unmapped');
    const [record] = api.guarded.audit.records;
    expect(record).toMatchObject({ decision: 'deny', detail: 'DELETE /orders/:id asks for no permission' });
  });

  it('admits every agent with false, on a method or a controller, but not in a subclass of that [D8]', async () => {
    @Controller('open')
    @Permit(false)
    class Open {
      @Get('a')
      a(): string {
        return 'a';
      }

      @Get('b')
      @Permit('forbidden', { type: 'Thing', id: 'b' })
      b(): string {
        return 'b';
      }
    }
    @Controller('derived')
    class Derived extends Open {
      @Get('c')
      @Permit(false)
      c(): string {
        return 'c';
      }
    }
    await using api = await Api.start(platform, [Open, Derived]);
    expect((await api.call({ target: '/open/a' })).body).toBe('a');
    expect(codeOf(await api.call({ target: '/open/b' }))).toBe('policy_denied');
    expect(codeOf(await api.call({ target: '/derived/a' }))).toBe('route_unmapped');
    expect((await api.call({ target: '/derived/c' })).body).toBe('c');
  });

  it('comes with a method that a controller inherits, and not with one that it overrides [D8]', async () => {
    abstract class Base {
      @Get(':id')
      @Permit('thing.read', order)
      read(): string {
        return 'inherited';
      }
    }
    @Controller('kept')
    class Kept extends Base {}
    @Controller('overridden')
    class Overridden extends Base {
      @Get(':id')
      override read(): string {
        return 'overridden';
      }
    }
    await using api = await Api.start(platform, [Kept, Overridden]);
    expect((await api.call({ target: '/kept/1' })).body).toBe('inherited');
    expect(codeOf(await api.call({ target: '/overridden/1' }))).toBe('route_unmapped');
  });

  it('closes @All and HEAD like GET', async () => {
    @Controller()
    class Wide {
      @All('all')
      all(): string {
        return 'all';
      }

      @Get('read')
      @Permit('forbidden', { type: 'Thing', id: 'it' })
      read(): string {
        return 'read';
      }

      @Head('head')
      @Header('x-ran', 'yes')
      head(): void {}
    }
    await using api = await Api.start(platform, [Wide]);
    for (const method of ['GET', 'PUT', 'PATCH', 'OPTIONS'] as const) {
      expect(codeOf(await api.call({ method, target: '/all' })), method).toBe('route_unmapped');
    }
    for (const target of ['/all', '/read', '/head']) {
      const answer = await api.call({ method: 'HEAD', target });
      expect([answer.status, answer.headers['x-ran']], target).toEqual([403, undefined]);
    }
  });

  it('is asked for the version and the host that Nest has chosen, and for no other', async () => {
    @Controller('things')
    class Versions {
      @Get()
      @Version('1')
      @Permit('forbidden', { type: 'Thing', id: '1' })
      one(): string {
        return 'one';
      }

      @Get()
      @Version('2')
      @Permit('thing.read', { type: 'Thing', id: '2' })
      two(): string {
        return 'two';
      }

      @Get()
      @Version('3')
      three(): string {
        return 'three';
      }
    }
    await using api = await Api.start(platform, [Versions], {
      main: (app) => app.enableVersioning({ type: VersioningType.HEADER, header: 'x-version' }),
    });
    const version = (value: string) => api.call({ target: '/things', fields: [['X-Version', value]] });
    expect((await version('2')).body).toBe('two');
    expect(codeOf(await version('1'))).toBe('policy_denied');
    expect(codeOf(await version('3'))).toBe('route_unmapped');
    expect(api.guarded.queries.map(({ resource }) => resource.id)).toEqual(['2', '1']);
  });

  it('works below a global prefix, with versions in the path and in a controller of the scope of a request', async () => {
    @Injectable({ scope: Scope.REQUEST })
    @Controller({ path: 'scoped', version: '1' })
    class Scoped {
      @Get(':id')
      @Permit('thing.read', order)
      read(@Caller() caller: Caller): string {
        return caller.actor.id;
      }

      @Get()
      list(): string {
        return 'list';
      }
    }
    await using api = await Api.start(platform, [Scoped], {
      main: (app) => app.setGlobalPrefix('api').enableVersioning(),
    });
    expect((await api.call({ target: '/api/v1/scoped/1' })).body).toBe(agentId);
    expect(codeOf(await api.call({ target: '/api/v1/scoped/forbidden' }))).toBe('policy_denied');
    expect(codeOf(await api.call({ target: '/api/v1/scoped' }))).toBe('route_unmapped');
  });

  it('answers with the refusal alone when filters catch everything', async () => {
    @Controller('filtered')
    @UseFilters(new CatchAll())
    @UseGuards(new Spy())
    @UseInterceptors(new Spy())
    class Filtered {
      @Get()
      @UseFilters(new CatchAll())
      read(): void {
        ran.push('handler');
      }
    }
    ran = [];
    await using api = await Api.start(platform, [Filtered], { main: (app) => app.useGlobalFilters(new CatchAll()) });
    expect(codeOf(await api.call({ target: '/filtered' }))).toBe('route_unmapped');
    expect(codeOf(await api.send(unsigned({ target: '/filtered' })))).toBe('signature_required');
    expect(ran).toEqual([]);
  });

  it('holds no request that it has refused', async () => {
    const requests: WeakRef<object>[] = [];
    await using api = await Api.start(platform, [Orders], {
      main: (app) =>
        app.use((request: object, _response: unknown, next: () => void) => {
          requests.push(new WeakRef(request));
          next();
        }),
    });
    for (let count = 0; count < 20; count += 1) await api.call({ method: 'DELETE', target: '/orders/17' });
    expect(requests).toHaveLength(20);
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    await vi.waitFor(() => {
      collect();
      // The last ones may still be in the hands of Node.
      expect(requests.filter((request) => request.deref() !== undefined).length).toBeLessThan(5);
    }, patiently);
  });

  it("lets agents in where nothing asks, with unmapped: 'authenticated'", async () => {
    ran = [];
    await using api = await Api.start(platform, [Orders], { countersign: { unmapped: 'authenticated' } });
    expect((await api.call({ method: 'DELETE', target: '/orders/17' })).status).toBe(200);
    expect(ran).toEqual(['removed 17']);
  });

  it('leaves people to the application in mixed traffic, except with agentsOnly', async () => {
    @Controller()
    class Mixed {
      @Get('open')
      open(@Caller() caller?: Caller): object {
        return { caller: caller ?? null };
      }

      @Get('ours')
      @Permit('thing.read', { type: 'Thing', id: '1' }, { agentsOnly: true })
      ours(): string {
        return 'ours';
      }
    }
    await using api = await Api.start(platform, [Mixed], { guarded: await guarded({ traffic: 'mixed' }) });
    expect(json(await api.send(unsigned({ target: '/open' })))).toEqual({ caller: null });
    expect(codeOf(await api.call({ target: '/open' }))).toBe('route_unmapped');
    expect(codeOf(await api.send(unsigned({ target: '/ours' })))).toBe('signature_required');
    expect((await api.call({ target: '/ours' })).body).toBe('ours');
  });

  it("passes refusals to the application's filters with onRefusal: 'throw'", async () => {
    ran = [];
    await using api = await Api.start(platform, [Orders], {
      countersign: { onRefusal: 'throw' },
      main: (app) => app.useGlobalFilters(new CatchAll()),
    });
    expect((await api.call({ target: '/orders/denied/17' })).body).toBe('"caught RefusalError"');
    expect((await api.send(unsigned({ target: '/orders/17' }))).body).toBe('"caught RefusalError"');
    expect(ran).toEqual(['filter', 'filter']);
  });
});

it('@Permit asks once for each run of a handler, also if one request runs it again for another resource [D8]', async () => {
  @Controller('shops')
  class Shops {
    @Get(':id')
    @Permit('shop.read', order)
    read(
      @Param('id') id: string,
      @Req() request: { url: string; app: (...args: object[]) => void },
      @Res() response: { end(text: string): void },
    ): void {
      if (id !== 'renamed') return response.end(`contents of ${id}`);
      request.url = '/shops/forbidden';
      request.app(request, response);
    }
  }
  await using api = await Api.start('express', [Shops]);
  expect((await api.call({ target: '/shops/17' })).body).toBe('contents of 17');
  expect(codeOf(await api.call({ target: '/shops/renamed' }))).toBe('policy_denied');
  expect(api.guarded.queries.map(({ resource }) => resource.id)).toEqual(['17', 'renamed', 'forbidden']);
});

describe.each(platforms)('@Permit on %s without CountersignModule', (platform) => {
  it('answers 500 to everybody, as on every host, and leaves other methods open [D8]', async () => {
    @Controller()
    class Payouts {
      @Post('payouts')
      @Permit('payout.make', { type: 'Bank', id: '1' })
      pay(): void {
        ran.push('paid');
      }

      @Get('other')
      other(): string {
        return 'other';
      }
    }
    @Controller('any')
    @Permit(false)
    class Open {
      @Get()
      read(): void {
        ran.push('read');
      }
    }
    ran = [];
    const module = { module: class AppModule {}, controllers: [Payouts, Open] };
    const app = await NestFactory.create(module, adapterOf(platform), { logger: false, abortOnError: false });
    app.useGlobalFilters(new CatchAll());
    await app.listen(0, '127.0.0.1');
    const url = await app.getUrl();
    const unguarded = await send(url, unsigned({ method: 'POST', target: '/payouts' }));
    expect([unguarded.status, codeOf(unguarded)]).toEqual([500, 'not_authenticated']);
    expect(codeOf(await send(url, signed({ target: '/any' })))).toBe('not_authenticated');
    expect(ran).toEqual([]);
    expect((await send(url, unsigned({ target: '/other' }))).body).toBe('other');
    await app.close();
  });
});

it('a method may carry the @Permit of the adapter in place of ours', async () => {
  @Controller()
  class Own {
    @Get('own/:id')
    @ExpressPermit('thing.read', ({ params }) => ({ type: 'Thing', id: params['id'] }))
    read(@Req() _request: object, @Res() response: { end(text: string): void }): void {
      response.end('read');
    }
  }
  await using api = await Api.start('express', [Own]);
  expect((await api.call({ target: '/own/17' })).body).toBe('read');
  expect(codeOf(await api.call({ target: '/own/forbidden' }))).toBe('policy_denied');
});

it('@Permit throws at start when it is written wrongly', () => {
  const resource = { type: 'Thing', id: '1' };
  const descriptor = () => ({ value() {} });
  expect(() => Permit('', resource)).toThrow('name the action');
  expect(() => Permit(false, ...([resource] as unknown as []))).toThrow('name no resource');
  expect(() => Permit(false, ...([undefined, { agentsOnly: true }] as unknown as []))).toThrow('no options');
  expect(() => Permit('a', undefined as never)).toThrow('name the resource');
  expect(() => Permit('a', resource, { scope: 'a' } as never)).toThrow("'scope'");
  expect(() => (Permit('a', resource) as ClassDecorator)(class {})).toThrow('decorates a method');
  expect(() => Permit('a', resource)({}, 'property', { value: 1 })).toThrow('decorates a method');
  const twice = descriptor();
  const prototype = {};
  Permit('a', resource)(prototype, 'value', twice);
  expect(() => Permit(false)({}, 'value', twice)).toThrow('has a permit already');
  // A decorator between the two has replaced the method.
  expect(() => Permit(false)(prototype, 'value', descriptor())).toThrow('has a permit already');
});

@Injectable()
class Spy implements CanActivate, NestInterceptor, ExceptionFilter {
  canActivate(): boolean {
    ran.push('guard');
    return true;
  }

  intercept(_context: ExecutionContext, next: { handle(): ReturnType<NestInterceptor['intercept']> }): never {
    ran.push('interceptor');
    return next.handle() as never;
  }

  catch(error: unknown): void {
    ran.push('filter');
    throw error;
  }
}

@Catch()
class CatchAll implements ExceptionFilter {
  catch(
    error: Error,
    host: { switchToHttp(): { getResponse(): { status(code: number): { send(body: string): void } } } },
  ): void {
    ran.push('filter');
    // Nest wraps errors that are thrown before the routes.
    const { name } = (error.cause ?? error) as Error;
    host.switchToHttp().getResponse().status(418).send(`"caught ${name}"`);
  }
}
