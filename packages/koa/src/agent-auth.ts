import { type Caller, type Guard, type Subject } from '@countersign/core';
import {
  actingUserOf,
  type AdmissionOptions,
  admissionOf,
  admit,
  checkAdmissionOptions,
  guardInTime,
  type HandlerMark,
  type Respond,
} from '@countersign/core/adapter';
import type { KoaContext, KoaMiddleware } from './context.js';
import { markMiddleware } from './mark-middleware.js';
import { refuseWithin, watchRouters } from './routes.js';

export type AgentAuthOptions = AdmissionOptions;

/** The state of a context behind `agentAuth`: `new Koa<AgentState>()`. */
export interface AgentState {
  /** Who calls; undefined for whoever is not an agent, in mixed traffic. */
  readonly caller?: Caller;
}

/**
 * Lets a request through only once it has verified whole: signature, body, freshness, token, chain.
 * Use it before body parsers, so that no parser sees an unverified byte. An agent on a route that asks for no `permit` is
 * refused, unless `unmapped` says otherwise. A promise of a guard will do: requests wait for it.
 *
 * @throws ConfigError when the guard or an option is wrong.
 * @example
 * ```ts
 * const app = new Koa<AgentState>();
 * app.use(agentAuth(guard));
 * app.use(bodyParser());
 * ```
 */
export function agentAuth(guard: Guard | Promise<Guard>, options: AgentAuthOptions = {}): KoaMiddleware<KoaContext> {
  checkAdmissionOptions(options);
  const guardOf = guardInTime(guard);
  const mark: HandlerMark = { role: 'agentAuth' };
  return markMiddleware(async function agentAuth(ctx, next) {
    const exchange = { request: ctx.req, response: ctx.res, target: targetOf(ctx) };
    if (!(await admit(guardOf, exchange, options, answerThrough(ctx)))) return;
    exposeCaller(ctx);
    if (await refuseWithin(ctx, mark)) return;
    watchRouters(ctx);
    try {
      await next();
    } catch (error) {
      admissionOf(ctx.req)?.outcome?.threw(error);
      throw error;
    }
  }, mark);
}

/** Who calls; undefined when no guard let this request in. Unlike `ctx.state.caller`, nothing else can have put it there. */
export function getCaller({ req }: Pick<KoaContext, 'req'>): Caller | undefined {
  return admissionOf(req)?.caller;
}

/**
 * The user on whose behalf the agent acts: only once a `permit` of this request has allowed it, and only where there is
 * one. Undefined for people, and for an agent that acts for itself.
 */
export function actingUser({ req }: Pick<KoaContext, 'req'>): Subject | undefined {
  return actingUserOf(req);
}

/** Mounts cut prefixes, so the longest is the target of the request line. Express around Koa keeps it on the request. */
function targetOf({ req, originalUrl: ours }: KoaContext): string {
  const { originalUrl: theirs = '' } = req as { readonly originalUrl?: string };
  return theirs.length > ours.length ? theirs : ours;
}

/** Answers through the context, so that middleware before us sees the refusal. */
export function answerThrough(ctx: KoaContext): Respond {
  return ({ status, headers, body }) => {
    // Koa would append the body to an answer that has begun.
    if (ctx.headerSent) return;
    ctx.status = status;
    ctx.set(headers);
    ctx.body = body;
  };
}

/** `ctx.state.caller` is for reading: neither an earlier middleware nor a handler can change whom the guard verified. */
function exposeCaller(ctx: KoaContext): void {
  Object.defineProperty(ctx.state, 'caller', {
    value: getCaller(ctx),
    enumerable: true,
    writable: false,
    configurable: false,
  });
}
