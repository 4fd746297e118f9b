import { permit } from '@countersign/express';
import {
  applyDecorators,
  Controller,
  Get,
  type INestApplication,
  Injectable,
  Param,
  type Provider,
  Scope,
  type Type,
} from '@nestjs/common';
import { describe, expect, it } from 'vitest';
import { guarded, send, signed, unsigned } from '../../../test/support/guarded.js';
import { Permit } from '../src/index.js';
import { Api, type AppOptions, codeOf, platforms } from './support.js';

const thing = { type: 'Thing', id: '1' };
const purge = (): MethodDecorator => Permit('forbidden', thing);

type Method = (this: unknown, ...args: unknown[]) => unknown;

function wrapperOf(method: Method): Method {
  return function wrapped(this: unknown, ...args: unknown[]) {
    return method.apply(this, args);
  };
}

/** As people write it, for logging or transactions: it knows nothing of metadata. */
function timed(): MethodDecorator {
  return (_target, _key, descriptor: PropertyDescriptor) => {
    descriptor.value = wrapperOf(descriptor.value as Method);
  };
}

/** Replaces the descriptor in place of its value. */
function replaced(): MethodDecorator {
  return (_target: object, _key: string | symbol, descriptor: PropertyDescriptor) => ({
    ...descriptor,
    value: wrapperOf(descriptor.value as Method) as never,
  });
}

/** Wraps a method as its documentation of NestJS asks: with its metadata. */
function traced(): MethodDecorator {
  return (_target, _key, descriptor: PropertyDescriptor) => {
    const method = descriptor.value as Method;
    descriptor.value = wrapperOf(method);
    copyMetadata(method, descriptor.value as Method);
  };
}

function copyMetadata(from: object, to: object, keys: unknown[] = Reflect.getMetadataKeys(from)): void {
  for (const key of keys) Reflect.defineMetadata(key, Reflect.getMetadata(key, from), to);
}

class Timed {
  @Get('purge')
  @timed()
  @purge()
  purge(): string {
    return 'purged';
  }
}

class Replaced {
  @Get('purge')
  @replaced()
  @purge()
  purge(): string {
    return 'purged';
  }
}

class Composed {
  @Get('purge')
  @applyDecorators(purge(), timed())
  purge(): string {
    return 'purged';
  }
}

class Inheriting extends Timed {}

class Exempt {
  @Get('purge')
  @timed()
  @Permit(false)
  purge(): string {
    return 'purged';
  }
}

class Bound {
  constructor() {
    this.purge = this.purge.bind(this);
  }

  @Get('purge')
  @purge()
  purge(): string {
    return 'purged';
  }
}

function controller(type: Type, isOpen = false, scope = Scope.DEFAULT): Type {
  Controller({ path: 'reports', scope })(type);
  if (isOpen) Permit(false)(type);
  return type;
}

function refusal(member: string): object {
  return { name: 'ConfigError', message: expect.stringContaining(`${member} has lost its @Permit`) as string };
}

async function start(controllers: Type[], options: AppOptions = {}): Promise<void> {
  await using _api = await Api.start('express', controllers, options);
}

describe('an application', () => {
  it.each<[string, Type]>([
    ['a decorator above it that assigns another method', Timed],
    ['one that returns another descriptor', Replaced],
    ['one after it in applyDecorators', Composed],
    ['a decorator of the base class', Inheriting],
    ['a decorator, although it was @Permit(false)', Exempt],
    ['a constructor that binds the method', Bound],
  ])('does not start when a method of a controller lost its permit to %s [D8]', async (_what, type) => {
    await expect(start([controller(type)])).rejects.toMatchObject(refusal(`${type.name}.purge`));
  });

  it.each<[string, AppOptions['countersign'], boolean]>([
    ['@Permit(false) on the controller', {}, true],
    ['everyRequest', { everyRequest: true }, false],
    ["unmapped: 'authenticated'", { unmapped: 'authenticated' }, false],
  ])(
    'does not start with a lost permit where the method is open by %s [D8]',
    async (_what, countersign = {}, isOpen) => {
      class Reports extends Timed {}
      await expect(start([controller(Reports, isOpen)], { countersign })).rejects.toMatchObject(
        refusal('Reports.purge'),
      );
    },
  );

  it('does not start with a lost permit in a controller of the scope of a request [D8]', async () => {
    class Scoped extends Timed {}
    await expect(start([controller(Scoped, false, Scope.REQUEST)])).rejects.toMatchObject(refusal('Scoped.purge'));
  });

  it('does not start when an instance is a proxy that wraps a method with a permit [D8]', async () => {
    class Reports {
      constructor() {
        const get = (target: object, key: string): unknown =>
          key === 'purge' ? wrapperOf(Reflect.get(target, key) as Method) : Reflect.get(target, key);
        return new Proxy<this>(this, { get });
      }

      @Get('purge')
      @purge()
      purge(): string {
        return 'purged';
      }
    }
    await expect(start([controller(Reports)])).rejects.toMatchObject(refusal('Reports.purge'));
  });

  it.each<[string, Provider]>([
    ['class, like a gateway', Timed],
    ['class of the scope of a request', { provide: Timed, useClass: Timed, scope: Scope.REQUEST }],
    ['factory', { provide: 'timed', useFactory: () => new Timed() }],
    ['asynchronous factory', { provide: 'timed', useFactory: async () => await Promise.resolve(new Timed()) }],
    ['value', { provide: 'timed', useValue: new Timed() }],
  ])('does not start with a lost permit in a provider that is a %s [D8]', async (_how, provider) => {
    await expect(start([], { providers: [provider] })).rejects.toMatchObject(refusal('Timed.purge'));
  });

  it('starts with members that Nest does not route, such as accessors and symbols', async () => {
    const name = Symbol('purge');
    class Unrouted {
      @(((_target, _key, { value }: PropertyDescriptor) => ({ get: () => value as unknown })) as MethodDecorator)
      @purge()
      bound(): void {}

      @timed()
      @purge()
      [name](): void {}
    }
    await expect(start([controller(Unrouted)])).resolves.toBeUndefined();
  });
});

/** Opens routes without a permit, each in another way. */
const openings: readonly [string, AppOptions, boolean][] = [
  ['@Permit(false) on the controller', {}, true],
  ['everyRequest', { countersign: { everyRequest: true } }, false],
  ["unmapped: 'authenticated'", { countersign: { unmapped: 'authenticated' } }, false],
  [
    'a permit before the routes',
    { main: (app: INestApplication) => app.use('/reports', permit('api.use', thing)) },
    false,
  ],
];

describe.each(platforms)('a permit on %s', (platform) => {
  it('is asked when decorators copy it, or wrap the method before it', async () => {
    @Controller()
    class Kept {
      @Get('copied/:id')
      @traced()
      @Permit('thing.read', ({ params }) => ({ type: 'Thing', id: params['id'] }))
      copied(@Param('id') id: string): string {
        return `copied ${id}`;
      }

      @Get('above/:id')
      @Permit('thing.read', ({ params }) => ({ type: 'Thing', id: params['id'] }))
      @timed()
      above(@Param('id') id: string): string {
        return `above ${id}`;
      }

      @Get('composed')
      @applyDecorators(timed(), purge())
      composed(): string {
        return 'composed';
      }
    }
    class Sub extends Kept {}
    Controller('sub')(Sub);
    await using api = await Api.start(platform, [Kept, Sub]);
    for (const prefix of ['', '/sub']) {
      expect((await api.call({ target: `${prefix}/copied/1` })).body).toBe('copied 1');
      expect((await api.call({ target: `${prefix}/above/2` })).body).toBe('above 2');
      for (const target of ['/copied/forbidden', '/above/forbidden', '/composed']) {
        expect(codeOf(await api.call({ target: `${prefix}${target}` })), target).toBe('policy_denied');
      }
    }
  });

  it.each(openings)(
    'closes a method that overrides its own without one, where routes are open by %s [D8]',
    async (...row) => {
      const [how, options, isOpen] = row;
      // The adapter for Fastify has no permit for app.use.
      if (platform === 'fastify' && how.startsWith('a permit')) return;
      class Base {
        @Get('purge')
        @purge()
        purge(): string {
          return 'purged';
        }

        @Get('other')
        other(): string {
          return 'other';
        }
      }
      class Reports extends Base {
        @Get('purge')
        override purge(): string {
          return 'purged';
        }
      }
      const parts = await guarded({ traffic: 'mixed' });
      await using api = await Api.start(platform, [controller(Reports, isOpen)], { ...options, guarded: parts });
      expect(codeOf(await api.call({ target: '/reports/purge' }))).toBe('route_unmapped');
      const denied = parts.audit.records.find(({ decision }) => decision === 'deny');
      expect(denied).toMatchObject({ detail: 'GET /reports/purge asks for no permission' });
      expect((await api.send(unsigned({ target: '/reports/purge' }))).body).toBe('purged');
      expect((await api.call({ target: '/reports/other' })).body).toBe('other');
    },
  );

  it.each(openings.slice(0, 3))(
    'closes its method when an instance for one request binds it, where routes are open by %s [D8]',
    async (_how, options, isOpen) => {
      class Scoped extends Bound {}
      const scoped = controller(Scoped, isOpen, Scope.REQUEST);
      await using api = await Api.start(platform, [scoped], options);
      expect(codeOf(await api.call({ target: '/reports/purge' }))).toBe('route_unmapped');
    },
  );

  it.each(openings.slice(0, 3))(
    'closes its method when a decorator of the class wraps it in a subclass, where routes are open by %s [D8]',
    async (_how, options, isOpen) => {
      class Reports {
        @Get('purge')
        @purge()
        purge(): string {
          return 'purged';
        }
      }
      class Wrapped extends Reports {}
      const wrapped = wrapperOf(Reports.prototype.purge);
      copyMetadata(Reports.prototype.purge, wrapped, ['path', 'method']);
      Object.defineProperty(Wrapped.prototype, 'purge', { value: wrapped, configurable: true, writable: true });
      await using api = await Api.start(platform, [controller(Wrapped, isOpen)], options);
      expect(codeOf(await api.call({ target: '/reports/purge' }))).toBe('route_unmapped');
    },
  );

  it.each<[string, (type: Type) => Type]>([
    ['a subclass', (type) => class extends type {}],
    [
      'another class',
      (type) => {
        class Another {}
        copyMetadata(type, Another);
        const { constructor: _own, ...members } = Object.getOwnPropertyDescriptors(type.prototype as object);
        Object.defineProperties(Another.prototype, members);
        return Another;
      },
    ],
  ])(
    'is asked if a decorator of its class returns %s, which @Permit(false) does not open [D8]',
    async (_what, derive) => {
      @(derive as ClassDecorator)
      @Controller('reports')
      @Permit(false)
      class Reports {
        @Get('purge')
        @purge()
        purge(): string {
          return 'purged';
        }

        @Get('other')
        other(): string {
          return 'other';
        }
      }
      await using api = await Api.start(platform, [Reports]);
      expect(codeOf(await api.call({ target: '/reports/purge' }))).toBe('policy_denied');
      expect(codeOf(await api.call({ target: '/reports/other' }))).toBe('route_unmapped');
    },
  );
});

it('a lost permit closes its method also to requests that come before the start is refused [D8]', async () => {
  const answers: (string | undefined)[] = [];
  let serving: INestApplication | undefined;
  @Injectable()
  class Early {
    /** The routes are there by now, and the start is refused later. */
    async onModuleInit(): Promise<void> {
      const server = (serving as INestApplication).getHttpServer();
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as { port: number };
      answers.push(codeOf(await send(`http://127.0.0.1:${port}`, signed({ target: '/reports/purge' }))));
    }
  }
  class Reports extends Timed {}
  const options = { providers: [Early], main: (app: INestApplication) => void (serving = app) };
  await expect(start([controller(Reports, true)], options)).rejects.toThrow('has lost its @Permit');
  await serving?.close();
  expect(answers).toEqual(['route_unmapped']);
});
