import type { Caller, Guard, Subject } from '@countersign/core';
import {
  actingUserOf,
  type AdmissionOptions,
  admitter,
  callerOf,
  exposeCaller,
  runHandlers,
} from '@countersign/core/adapter';
import { type KoaContext, type KoaMiddleware, markMiddleware, respondThrough } from './context.js';
import { refuseWithin, watchRouters } from './routes.js';

/** The state of a context after `agentAuth`: `new Koa<AgentState>()`. */
export interface AgentState {
  /** The verified caller; undefined for people, in mixed traffic. */
  readonly caller?: Caller;
}

/**
 * Admits a request only after it has verified completely: signature, body, freshness, token, chain. Use it before body
 * parsers, so that no parser reads an unverified byte. An agent on a route without a `permit` is refused, unless
 * `unmapped` says otherwise. `guard` may be a promise: requests wait for it. Call it once for each place: the same object
 * counts as the one in `app.use` wherever it runs.
 *
 * @throws ConfigError when the guard or an option is wrong.
 * @example
 * ```ts
 * const app = new Koa<AgentState>();
 * app.use(agentAuth(guard));
 * app.use(bodyParser());
 * ```
 */
export function agentAuth(guard: Guard | Promise<Guard>, options: AdmissionOptions = {}): KoaMiddleware<KoaContext> {
  const admit = admitter(guard, options);
  const mark = { role: 'agentAuth' } as const;
  return markMiddleware(async function agentAuth(ctx, next) {
    if (!(await admit({ request: ctx.req, response: ctx.res, target: targetOf(ctx) }, respondThrough(ctx)))) return;
    exposeCaller(ctx.state, ctx.req);
    if (await refuseWithin(ctx, mark)) return;
    watchRouters(ctx);
    try {
      await runHandlers(ctx.req, next);
    } catch (error) {
      throw getCaller(ctx) === undefined ? error : keptPrivate(error);
    }
  }, mark);
}

/** For an error, Koa removes all fields of the response, and sets those that the error has. */
function keptPrivate(error: unknown): unknown {
  if (!(error instanceof Object)) return error;
  Reflect.set(error, 'headers', { 'cache-control': 'private', ...('headers' in error && (error.headers as object)) });
  return error;
}

/**
 * The verified caller; undefined if no guard admitted this request. Unlike `ctx.state.caller`, no other code can have set
 * it.
 */
export function getCaller({ req }: Pick<KoaContext, 'req'>): Caller | undefined {
  return callerOf(req);
}

/**
 * The user on whose behalf the agent acts, once a `permit` of this request has allowed it. Undefined for people, and for an
 * agent that acts for itself.
 */
export function actingUser({ req }: Pick<KoaContext, 'req'>): Subject | undefined {
  return actingUserOf(req);
}

/** Mounts cut prefixes, so the longest is the target of the request line. An outer Express keeps it on the request. */
function targetOf({ req, originalUrl: ours }: KoaContext): string {
  const { originalUrl: theirs = '' } = req as { readonly originalUrl?: string };
  return theirs.length > ours.length ? theirs : ours;
}
