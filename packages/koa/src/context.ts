import type { IncomingMessage, ServerResponse } from 'node:http';

/** What is used of a Koa context; every context of Koa 2 and 3 is one, also under a router. */
export interface KoaContext {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  /** The target of the request line; `url` is cut under koa-mount. */
  readonly originalUrl: string;
  readonly headerSent: boolean;
  readonly state: object;
  status: number;
  body: unknown;
  set(headers: { [field: string]: string }): void;
}

/** A middleware of Koa. */
export type KoaMiddleware<Context extends KoaContext> = (ctx: Context, next: () => Promise<unknown>) => Promise<void>;
