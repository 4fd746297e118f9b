import { ConfigError } from '@countersign/core';
import type { AbstractHttpAdapter } from '@nestjs/core';
import { asPassing, markRoutes } from './mark-routes.js';

/** The part of an Express application that is used here. Express 4 keeps its router under another name. */
interface Application {
  use(middleware: object): unknown;
  readonly _router?: Router;
  readonly router?: Router;
}

interface Router {
  readonly stack: readonly { readonly name: string }[];
}

const parsers = ['jsonParser', 'rawParser', 'textParser', 'urlencodedParser'];

export function mountOnExpress(platform: AbstractHttpAdapter, agentAuth: object): void {
  const app = platform.getInstance<Application>();
  // In an instance of Express that the application has brought.
  const earlier = stackOf(app).find(({ name }) => parsers.includes(name));
  if (earlier !== undefined) {
    throw new ConfigError(
      `CountersignModule: ${earlier.name} would read bodies before they have been verified. Mount it after NestFactory.create().`,
    );
  }
  app.use(agentAuth);
  passMiddleware(platform);
  markRoutes(platform);
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
