import { Controller, Get, Scope, type Type } from '@nestjs/common';
import { RouterExecutionContext } from '@nestjs/core/router/router-execution-context.js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Permit } from '../src/index.js';
import { Api, type AppOptions, codeOf, platforms } from './support.js';

const purge = (): MethodDecorator => Permit('forbidden', { type: 'Thing', id: '1' });

type Method = (this: unknown, ...args: unknown[]) => unknown;

function wrap(method: Method, keys: unknown[] = Reflect.getMetadataKeys(method)): Method {
  function wrapped(this: unknown, ...args: unknown[]): unknown {
    return method.apply(this, args);
  }
  for (const key of keys) Reflect.defineMetadata(key, Reflect.getMetadata(key, method), wrapped);
  return Object.defineProperty(wrapped, 'name', { value: method.name });
}

class Base {
  @Get('kept')
  @purge()
  kept(): string {
    return 'kept';
  }

  @Get('overridden')
  @purge()
  overridden(): string {
    return 'overridden';
  }

  @Get('replaced')
  @purge()
  replaced(): string {
    return 'replaced';
  }

  @Get('inherited')
  inherited(): string {
    return 'inherited';
  }
}

function controllerOf(isOpen: boolean, scope: Scope): Type {
  class Reports extends Base {
    @Get('overridden')
    override overridden(): string {
      return 'overridden';
    }

    @Get('own')
    own(): string {
      return 'own';
    }
  }
  Object.defineProperty(Reports.prototype, 'replaced', { value: wrap(Base.prototype.replaced, ['path', 'method']) });
  Controller({ path: 'reports', scope })(Reports);
  if (isOpen) Permit(false)(Reports);
  return Reports;
}

/** Each opens routes without a permit. */
const openings: readonly [string, AppOptions['countersign'], boolean][] = [
  ['@Permit(false) on the controller', {}, true],
  ['everyRequest', { everyRequest: true }, false],
  ["unmapped: 'authenticated'", { unmapped: 'authenticated' }, false],
];

// As `@opentelemetry/instrumentation-nestjs-core` wraps them, which is a part of `@sentry/nestjs`.
describe.each(platforms)('with tracing that wraps handlers on %s', (platform) => {
  const prototype = RouterExecutionContext.prototype as unknown as { create: Method };
  const { create } = prototype;
  beforeAll(() => {
    prototype.create = function traced(this: unknown, instance: unknown, callback: unknown, ...rest: unknown[]) {
      return create.call(this, instance, wrap(callback as Method), ...rest);
    };
  });
  afterAll(() => {
    prototype.create = create;
  });

  describe.each([
    ['application', Scope.DEFAULT],
    ['request', Scope.REQUEST],
  ])('and a controller of the scope of the %s', (_scope, scope) => {
    it.each(openings)('a method without a permit is open by %s', async (_how, countersign = {}, isOpen) => {
      await using api = await Api.start(platform, [controllerOf(isOpen, scope)], { countersign });
      for (const name of ['own', 'inherited']) {
        expect((await api.call({ target: `/reports/${name}` })).body).toBe(name);
      }
    });

    it.each(openings)(
      '%s does not open a method whose permit is missing [D8]',
      async (_how, countersign = {}, isOpen) => {
        await using api = await Api.start(platform, [controllerOf(isOpen, scope)], { countersign });
        for (const name of ['overridden', 'replaced']) {
          expect(codeOf(await api.call({ target: `/reports/${name}` })), name).toBe('route_unmapped');
        }
        expect(codeOf(await api.call({ target: '/reports/kept' }))).toBe('policy_denied');
      },
    );

    it('a method without a permit is closed when nothing opens it', async () => {
      await using api = await Api.start(platform, [controllerOf(false, scope)]);
      expect(codeOf(await api.call({ target: '/reports/own' }))).toBe('route_unmapped');
    });
  });

  it.each(openings)(
    '%s does not open a method that a constructor binds [D8]',
    async (_how, countersign = {}, isOpen) => {
      class Binding extends Base {
        constructor() {
          super();
          this.kept = this.kept.bind(this);
        }
      }
      Controller({ path: 'reports', scope: Scope.REQUEST })(Binding);
      if (isOpen) Permit(false)(Binding);
      await using api = await Api.start(platform, [Binding], { countersign });
      expect(codeOf(await api.call({ target: '/reports/kept' }))).toBe('route_unmapped');
    },
  );

  it('a method of another controller is closed where it overrides one with a permit [D8]', async () => {
    class Other {
      @Permit('forbidden', { type: 'Thing', id: '1' })
      permitted(): void {}

      @Get('kept')
      open(): string {
        return 'open';
      }
    }
    Controller('other')(Other);
    class Copying extends Base {}
    Object.defineProperty(Copying.prototype, 'kept', { value: Other.prototype.open });
    Controller('reports')(Copying);
    await using api = await Api.start(platform, [Other, Copying], { countersign: { unmapped: 'authenticated' } });
    expect((await api.call({ target: '/other/kept' })).body).toBe('open');
    expect(codeOf(await api.call({ target: '/reports/kept' }))).toBe('route_unmapped');
  });
});
