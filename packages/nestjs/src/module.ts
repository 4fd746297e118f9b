import { ConfigError, type Guard } from '@countersign/core';
import { type AdmissionOptions } from '@countersign/core/adapter';
import type { DynamicModule, FactoryProvider, ModuleMetadata, Provider } from '@nestjs/common';
import { HttpAdapterHost, ModuleRef, type NestContainer } from '@nestjs/core';
import { AgentGuard } from './agent-guard.js';
import { checkPermits, noteHandlers } from './lost-permits.js';
import { NoteThrown } from './note-thrown.js';
import { mountOnPlatform, unsupported } from './mount.js';
import { checkResolvers, watchResolvers } from './resolver-guards.js';

/** The token of the guard, for `@Inject(COUNTERSIGN) guard: Guard` and for `overrideProvider` in tests. */
export const COUNTERSIGN: unique symbol = Symbol('countersign');

/** What `CountersignModule.forRoot` takes. */
export interface CountersignOptions extends AdmissionOptions {
  /** May be a promise: the application is created when the guard is. The module does not close it. */
  readonly guard: Guard | Promise<Guard>;
}

/** What `CountersignModule.forRootAsync` takes. */
export interface CountersignAsyncOptions extends AdmissionOptions, Pick<ModuleMetadata, 'imports'> {
  /** What Nest injects into `useFactory`. Default: nothing. */
  readonly inject?: FactoryProvider['inject'];
  /** Creates the guard, which the module closes when the application has closed. */
  readonly useFactory: (...args: never[]) => Guard | Promise<Guard>;
}

/**
 * Admits a request only after it has verified completely, before every middleware and parser of Nest, and closes each method
 * without a `@Permit` to agents. Import it once, in the root module.
 *
 * @example
 * ```ts
 * @Module({ imports: [CountersignModule.forRootAsync({ useFactory: () => createGuard({ … }) })] })
 * export class AppModule {}
 * ```
 */
// oxlint-disable-next-line typescript/no-extraneous-class -- the module of a Nest package is a class
export class CountersignModule {
  /** Guards the application with a guard that somebody else closes. @throws ConfigError when an option is wrong. */
  static forRoot(options: CountersignOptions): DynamicModule {
    const { guard, ...admission } = options;
    return moduleOf({ provide: COUNTERSIGN, useFactory: async () => await guard }, admission, false);
  }

  /** Guards the application with a guard of its own, created and closed with it. */
  static forRootAsync(options: CountersignAsyncOptions): DynamicModule {
    const { imports = [], inject = [], useFactory, ...admission } = options;
    const provider = { provide: COUNTERSIGN, inject, useFactory: useFactory as FactoryProvider['useFactory'] };
    return { ...moduleOf(provider, admission, true), imports };
  }
}

const MOUNTED = Symbol('countersign:mounted');

function moduleOf(provider: Provider, options: AdmissionOptions, closes: boolean): DynamicModule {
  const mounted: Provider = {
    provide: MOUNTED,
    inject: [COUNTERSIGN, HttpAdapterHost, ModuleRef],
    async useFactory(guard: Guard, host: HttpAdapterHost, ref: ModuleRef) {
      await mountOnPlatform(guard, host, options);
      const container = containerOf(ref);
      runFirst(container);
      noteHandlers(container);
      watchResolvers(container);
      const closesUnmapped = options.everyRequest !== true && options.unmapped !== 'authenticated';
      // Nest calls them on what a factory has made. The second comes before its server closes, which waits for connections
      // that only the guard cuts.
      return {
        onApplicationBootstrap() {
          checkPermits(container);
          checkResolvers(container, closesUnmapped);
        },
        beforeApplicationShutdown: () => (closes ? guard.close() : undefined),
      };
    },
  };
  return { module: CountersignModule, global: true, providers: [provider, mounted], exports: [COUNTERSIGN] };
}

/** An injected `ModulesContainer` may be a proxy, which a map does not bear. */
function containerOf(ref: ModuleRef): NestContainer {
  const { container } = ref as unknown as { readonly container?: NestContainer };
  if (container === undefined) throw unsupported('a module cannot reach its container');
  return container;
}

/** Global guards run in the order in which their modules were found, and the login of an application may be among them. */
function runFirst({ applicationConfig: config }: NestContainer): void {
  const guards = config?.getGlobalGuards();
  if (config === undefined || guards === undefined) throw unsupported('a module cannot reach the global guards');
  if (guards.some((guard) => guard instanceof AgentGuard)) {
    throw new ConfigError('CountersignModule: import it once, in the root module of the application.');
  }
  guards.unshift(new AgentGuard());
  if (!(config.getGlobalGuards()[0] instanceof AgentGuard)) throw unsupported('its list of global guards is a copy');
  config.getGlobalInterceptors().unshift(new NoteThrown());
}
