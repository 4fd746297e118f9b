import {
  coverBelow,
  type HandlerMark,
  type PermitDecorator,
  type PermitOptions,
  permission,
  permitDecorator,
  type ResourceOf,
} from '@countersign/core/adapter';
import { answerThrough } from './agent-auth.js';
import type { KoaContext, KoaMiddleware } from './context.js';
import { markMiddleware } from './mark-middleware.js';
import { isWithinRoute } from './routes.js';

/** A context whose route has parameters, as routers leave them. */
export interface RouteContext extends KoaContext {
  readonly params: Readonly<Record<string, string>>;
}

/**
 * Puts an action to policy before the rest of the route runs; the decision is written down first. In a route it counts
 * for this route alone, in `app.use` or `router.use` for everything below.
 *
 * @throws ConfigError when an argument is missing or wrong.
 * @example
 * ```ts
 * router.post('/repos/:owner/:repo/pulls',
 *   permit('pr.create', ({ params }) => ({ type: 'Repo', id: `${params.owner}/${params.repo}` })),
 *   (ctx) => { ctx.body = { by: ctx.state.caller?.actor.id }; });
 * ```
 */
export function permit<Context = RouteContext>(
  action: string,
  resource: ResourceOf<Context>,
  options?: PermitOptions,
): KoaMiddleware<Context & KoaContext>;
/** `permit(false)`: lets every verified agent in, without a decision. `actingUser` stays undefined there. */
export function permit<Context = KoaContext>(action: false): KoaMiddleware<Context & KoaContext>;
export function permit<Context>(
  action: string | false,
  resource?: ResourceOf<Context>,
  options?: PermitOptions,
): KoaMiddleware<Context & KoaContext> {
  const enforce = permission('permit', action, resource, options);
  const mark: HandlerMark = { role: 'permit' };
  return markMiddleware(async function permit(ctx, next) {
    if (!(await enforce(ctx.req, ctx, answerThrough(ctx)))) return;
    if (!isWithinRoute(ctx, mark)) coverBelow(ctx.req);
    await next();
  }, mark);
}

/**
 * `permit` for handlers that are methods of a controller class: a standard (TC39) decorator that also works as a legacy
 * one. The method runs only if it is permitted; it becomes asynchronous.
 *
 * @throws ConfigError when an argument is wrong, or when it decorates something other than a method.
 * @example
 * ```ts
 * class Pulls {
 *   @Permit('pr.create', ({ params }) => ({ type: 'Repo', id: params.repo }))
 *   create(ctx: RouterContext) { … }
 * }
 * ```
 */
export function Permit<Context = RouteContext>(
  action: string,
  resource: ResourceOf<Context>,
  options?: PermitOptions,
): PermitDecorator {
  const enforce = permission('@Permit', action, resource, options);
  async function ask(args: readonly unknown[]): Promise<boolean> {
    const ctx = args.find(isContext);
    // Without a request there is nobody to ask for, so the method must not run.
    if (ctx === undefined) throw new Error(`@Permit('${action}'): pass the method its context`);
    return await enforce(ctx.req, ctx as unknown as Context, answerThrough(ctx));
  }
  return permitDecorator(`@Permit('${action}')`, ask, { mark: markMiddleware });
}

// By its shape: over HTTP/2 the request is of another class.
function isContext(argument: unknown): argument is KoaContext {
  return typeof argument === 'object' && argument !== null && 'req' in argument && 'originalUrl' in argument;
}
