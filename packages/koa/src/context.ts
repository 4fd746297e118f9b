import { clearFields, type HandlerMark, markHandler, type Respond, sendRefusal } from '@countersign/core/adapter';
import type { IncomingMessage, ServerResponse } from 'node:http';

/** The part of a Koa context that is used here; the same in Koa 2 and 3, also under a router. */
export interface KoaContext {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** The target of the request line; `url` is cut under koa-mount. */
  readonly originalUrl: string;
  /** False: the application has taken the response from Koa. */
  readonly respond?: boolean | undefined;
  readonly state: object;
  status: number;
  body: unknown;
  set(headers: { [field: string]: string }): void;
}

/** A middleware of Koa. */
export type KoaMiddleware<Context extends KoaContext> = (ctx: Context, next: () => Promise<unknown>) => Promise<void>;

/** Responds through the context, so that outer middleware sees the refusal. */
export function respondThrough(ctx: KoaContext): Respond {
  return (refused) => {
    // Koa would append the body to a response that has begun.
    if (ctx.respond === false || ctx.res.headersSent) return sendRefusal(ctx.res, refused);
    clearFields(ctx.res);
    ctx.status = refused.status;
    ctx.set(refused.headers);
    ctx.body = refused.body;
  };
}

/**
 * Marks a middleware so that it can be found in a router. OpenTelemetry wraps every handler of a router in a plain arrow
 * function, which would lose the mark; it skips handlers that claim to be patched already.
 */
export function markMiddleware<Middleware extends object>(middleware: Middleware, mark: HandlerMark): Middleware {
  return new Proxy(markHandler(middleware, mark), {
    get: (target, key, receiver) =>
      typeof key === 'symbol' && key.description === 'koa-layer-patched' ? true : Reflect.get(target, key, receiver),
  });
}
