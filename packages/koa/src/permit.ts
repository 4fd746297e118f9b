import {
  coverBelow,
  type HandlerHost,
  isNodeRequest,
  type PermitOptions,
  type Permits,
  permitCheck,
  permitDecorator,
  type ResourceOf,
} from '@countersign/core/adapter';
import { type KoaContext, type KoaMiddleware, markMiddleware, respondThrough } from './context.js';
import { isBeforeRoutes } from './routes.js';

/** A context in a route, with the parameters that a router sets. */
export interface RouteContext extends KoaContext {
  readonly params: Readonly<Record<string, string>>;
}

/**
 * Asks policy for an action before the rest of the route runs; the decision is recorded first. In a route it applies to
 * this route alone, in `app.use` of the outermost application to everything below. In `router.use`, in a mounted
 * application and in koa-compose it decides, but opens no route. Make one for each place: the same object counts as the one
 * in `app.use` wherever it runs.
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
/** `permit(false)`: admits every verified agent without a decision. `actingUser` stays undefined there. */
export function permit<Context = KoaContext>(action: false): KoaMiddleware<Context & KoaContext>;
export function permit<Context>(
  action: string | false,
  resource?: ResourceOf<Context>,
  options?: PermitOptions,
): KoaMiddleware<Context & KoaContext> {
  const check = permitCheck(action, resource, options);
  const mark = { role: 'permit' } as const;
  return markMiddleware(async function permit(ctx, next) {
    if (!(await check(ctx.req, ctx, respondThrough(ctx)))) return;
    if (isBeforeRoutes(ctx, mark)) coverBelow(ctx.req);
    await next();
  }, mark);
}

const controllers: HandlerHost = {
  needs: 'its context',
  callOf(args) {
    const ctx = args.find(isContext);
    return ctx && { node: ctx.req, request: ctx, respond: respondThrough(ctx) };
  },
  mark: markMiddleware,
};

/**
 * `permit` for handlers that are methods of a controller class: a standard (TC39) decorator that also works as a legacy
 * one. The method becomes asynchronous, and runs only with the permission.
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
export const Permit: Permits<RouteContext> = permitDecorator(controllers);

function isContext(argument: unknown): argument is KoaContext {
  if (typeof argument !== 'object' || argument === null || !('originalUrl' in argument)) return false;
  return isNodeRequest((argument as Partial<KoaContext>).req);
}
