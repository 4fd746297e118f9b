import { ConfigError, type Guard } from '@countersign/core';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { asPassing, markRoutes } from './mark-routes.js';

/** The part of an Express application that is used here. Express 4 keeps its router under another name. */
interface Application {
  use(middleware: object): unknown;
  readonly _router?: Router;
  readonly router?: Router;
}

interface Router {
  readonly stack: Layer[];
}

interface Layer {
  readonly name: string;
  readonly handle: object;
  readonly route?: { readonly path: unknown };
  /** Express 4 keeps an expression instead. */
  readonly rawPath?: unknown;
}

/** What Express 4 mounts itself. */
const ownLayers = ['query', 'expressInit'];
const parsers = ['jsonParser', 'rawParser', 'textParser', 'urlencodedParser'];

/**
 * What stood in an instance of Express that the application has brought stays before the guard. What a provider has mounted,
 * which was created before this module, comes after it.
 */
export function mountOnExpress(platform: AbstractHttpAdapter, guard: Guard, agentAuth: object): void {
  const app = platform.getInstance<Application>();
  const stack = stackOf(app);
  const start = stack.findLastIndex(isOfAdapter);
  // The adapter of NestJS 10 has none. That of newer ones may be hidden by tracing: then before all others.
  const isKnown = start !== -1 || 'setOnRequestHook' in platform;
  const before = (isKnown ? stack.slice(0, Math.max(0, start)) : stack).filter(({ name }) => !ownLayers.includes(name));
  const earlier = before.find(({ name }) => parsers.includes(name));
  if (earlier !== undefined) {
    throw new ConfigError(
      `CountersignModule: ${earlier.name} would read bodies before they have been verified. Mount it after NestFactory.create().`,
    );
  }
  app.use(agentAuth);
  if (isKnown) stack.splice(start + 1, 0, ...stack.splice(-1));
  if (before.length > 0) {
    const open = before.map(shown).join(', ');
    guard.report(
      `NestJS: open to everybody and not recorded, because it was mounted before CountersignModule: ${open}`,
    );
  }
  passMiddleware(platform);
  markRoutes(platform);
}

/** The adapter of Nest mounts a layer for its hooks, as soon as it has the instance. Most tracing keeps what it wraps. */
function isOfAdapter({ handle }: Layer): boolean {
  const { __original: wrapped } = handle as { readonly __original?: object };
  if (typeof wrapped === 'function') return isOfAdapter({ name: '', handle: wrapped });
  return typeof handle === 'function' && Function.prototype.toString.call(handle).includes('this.onRequestHook');
}

function shown({ name, route, rawPath = '/' }: Layer): string {
  return String(route?.path ?? (rawPath === '/' ? name : rawPath));
}

function stackOf(app: Application): Router['stack'] {
  // Reading `router` throws on Express 4.
  return (app._router ?? ('lazyrouter' in app ? undefined : app.router))?.stack ?? [];
}

/** Nest makes a route of the middleware of a module, before the routes of controllers, and of the answer 404. */
function passMiddleware(platform: AbstractHttpAdapter): void {
  const create = platform.createMiddlewareFactory.bind(platform);
  platform.createMiddlewareFactory = async (method) => {
    const register = await create(method);
    return (path, handler) => register(path, asPassing(handler)) as unknown;
  };
  const setNotFoundHandler = platform.setNotFoundHandler?.bind(platform);
  if (setNotFoundHandler === undefined) return;
  platform.setNotFoundHandler = (handler, ...more) => setNotFoundHandler(asPassing(handler), ...more);
}
