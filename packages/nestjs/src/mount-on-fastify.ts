import { ConfigError } from '@countersign/core';
import { kept } from '@countersign/core/adapter';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { asPassing, markRoutes } from './mark-routes.js';

/** The part of a Fastify instance that is used here. */
interface Instance {
  addHook(name: 'onRoute', hook: (route: { readonly handler: object }) => void): unknown;
  register(plugin: object, options?: object): PromiseLike<unknown>;
}

type Hook = (...args: never[]) => unknown;

export function mountOnFastify(platform: AbstractHttpAdapter, agentAuth: object, options: object): void {
  const app = platform.getInstance<Instance>();
  const isRegistering = markRoutes(platform);
  // Nest wraps handlers whose routes have parameters.
  app.addHook('onRoute', ({ handler }) => {
    if (isRegistering()) asPassing(handler);
  });
  void app.register(
    onThisInstance(async (root) => {
      const earlier = hooksOf(root).length;
      Object.defineProperty(root, Symbol.for('countersign.guardIsMoved'), { value: true });
      await root.register(agentAuth, options);
      const [admitting, ...others] = hooksOf(root).slice(earlier);
      if (admitting === undefined || others.length > 0) throw unsupported();
      moveBeforeMiddleware(root, admitting);
    }),
  );
}

/** What `fastify-plugin` does: the plugin gets the instance itself, and not a child of it. */
function onThisInstance(plugin: (app: Instance) => Promise<void>): object {
  return Object.assign(plugin, { [Symbol.for('skip-override')]: true });
}

/**
 * Nest registers its middleware before any module is created, and middleware must not see an unverified request. Plugins that
 * were registered earlier have copies of the list of hooks.
 */
function moveBeforeMiddleware(app: Instance, admitting: Hook): void {
  const hooks = hooksOf(app);
  if (hooks.at(-1) !== admitting) throw unsupported();
  if ('use' in app) {
    hooks.pop();
    // Tracing wraps hooks and minifiers rename them: then before all others.
    const middleware = hooks.findIndex(({ name }) => name === 'runMiddie');
    hooks.splice(Math.max(0, middleware), 0, admitting);
  }
  for (const plugin of kept(app, 'fastify.children') as Instance[]) moveBeforeMiddleware(plugin, admitting);
}

function hooksOf(app: Instance): Hook[] {
  const { onRequest } = kept(app, 'fastify.hooks') as { readonly onRequest?: Hook[] };
  if (!Array.isArray(onRequest)) throw unsupported();
  return onRequest;
}

function unsupported(): ConfigError {
  return new ConfigError('CountersignModule does not know this version of Fastify: its hooks are not where they were.');
}
