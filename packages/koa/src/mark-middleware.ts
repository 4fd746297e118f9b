import { type HandlerMark, markHandler } from '@countersign/core/adapter';

/**
 * Marks a middleware so that routers can be asked about it. OpenTelemetry puts a bare arrow around all that routers hold,
 * and the mark would be lost; it leaves alone what says that it has been patched before.
 */
export function markMiddleware<Middleware extends object>(middleware: Middleware, mark: HandlerMark): Middleware {
  return new Proxy(markHandler(middleware, mark), {
    get: (target, key, receiver) =>
      typeof key === 'symbol' && key.description === 'koa-layer-patched' ? true : Reflect.get(target, key, receiver),
  });
}
