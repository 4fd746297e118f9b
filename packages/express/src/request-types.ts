import type { Caller } from '@countersign/core';
import type { IncomingMessage, ServerResponse } from 'node:http';

// By shape, not by name: the types of Express 4 and 5 do not fit each other, and both fit these.

/** What is used of an Express request. */
export interface ExpressRequest extends IncomingMessage {
  /** The target of the request line; `url` is cut under a mounted router. */
  readonly originalUrl: string;
}

/** A request of a route, as far as every route has it. */
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
      /** Who calls; set by `agentAuth` once the request has verified, absent before and on unguarded routes. */
      readonly caller?: Caller;
    }
  }
}
