import type { Caller } from '@countersign/core';
import { type HandlerMark, markHandler } from '@countersign/core/adapter';
import type { IncomingMessage, ServerResponse } from 'node:http';

// Structural: the types of Express 4 and 5 are incompatible with each other, and both are assignable to these.

/** The part of an Express request that is used here. */
export interface ExpressRequest extends IncomingMessage {
  /** The target of the request line; `url` is cut under a mounted router. */
  readonly originalUrl: string;
  /** The path under which the router is mounted that has the request. */
  readonly baseUrl: string;
}

/** A request in a route, with the members that every route has. */
export interface RouteRequest extends ExpressRequest {
  readonly params: Readonly<Record<string, string | string[]>>;
  readonly query: unknown;
  readonly body: unknown;
}

export type Next = (error?: unknown) => void;

/** A middleware of Express. */
export type ExpressMiddleware<Request = ExpressRequest> = (req: Request, res: ServerResponse, next: Next) => void;

/**
 * Makes a middleware of an asynchronous check, which resolves to whether the request may go on, or has answered it.
 * Express 4 ignores promises: without the catch, an error would leave the request hanging.
 */
export function middleware<Request>(
  mark: HandlerMark,
  mayPass: (req: Request, res: ServerResponse, next: Next) => Promise<boolean>,
): ExpressMiddleware<Request> {
  function handle(req: Request, res: ServerResponse, next: Next): void {
    mayPass(req, res, next)
      .then((passes) => (passes ? next() : undefined))
      .catch((error: unknown) => failWith(error, next));
  }
  // Express shows the name in its traces.
  return markHandler(Object.defineProperty(handle, 'name', { value: mark.role }), mark);
}

/** Express goes on after nothing, and skips after 'route' or 'router'. */
export function failWith(error: unknown, next: Next): void {
  const fails = Boolean(error) && error !== 'route' && error !== 'router';
  next(fails ? error : new Error('rejected without an error', { cause: error }));
}

declare global {
  namespace Express {
    interface Request {
      /** The verified caller; set by `agentAuth`, absent before and on unguarded routes. */
      readonly caller?: Caller;
    }
  }
}
