import type { Caller } from '@countersign/core';
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

declare global {
  namespace Express {
    interface Request {
      /** The verified caller; set by `agentAuth`, absent before and on unguarded routes. */
      readonly caller?: Caller;
    }
  }
}
