import { ConfigError } from '@countersign/core';
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
      const hooks = hooksOf(root);
      const earlier = hooks.length;
      Object.defineProperty(root, Symbol.for('countersign.guardIsMoved'), { value: true });
      await root.register(agentAuth, options);
      if (hooks.length !== earlier + 1) throw unsupported();
      moveBeforeMiddleware(root, hooks);
    }),
  );
}

/** What `fastify-plugin` does: the plugin gets the instance itself, and not a child of it. */
function onThisInstance(plugin: (app: Instance) => Promise<void>): object {
  return Object.assign(plugin, { [Symbol.for('skip-override')]: true });
}

function hooksOf(app: Instance): Hook[] {
  const key = Object.getOwnPropertySymbols(app).find(({ description }) => description === 'fastify.hooks');
  const { onRequest } = (key === undefined ? {} : Reflect.get(app, key)) as { readonly onRequest?: Hook[] };
  if (!Array.isArray(onRequest)) throw unsupported();
  return onRequest;
}

/** Nest registers its middleware before any module is created, and middleware must not see an unverified request. */
function moveBeforeMiddleware(app: Instance, hooks: Hook[]): void {
  if (!('use' in app)) return;
  const [admitting] = hooks.splice(-1);
  // Tracing wraps hooks and minifiers rename them: then before all others.
  const middleware = hooks.findIndex(({ name }) => name === 'runMiddie');
  hooks.splice(Math.max(0, middleware), 0, admitting as Hook);
}

function unsupported(): ConfigError {
  return new ConfigError('CountersignModule does not know this version of Fastify: its hooks are not where they were.');
}
