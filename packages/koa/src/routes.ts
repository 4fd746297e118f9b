import {
  callerOf,
  closesUnmapped,
  type HandlerMark,
  isUnmapped,
  markHandler,
  markOf,
  onAssigned,
  refuseAgent,
  watchedOf,
} from '@countersign/core/adapter';
import type { IncomingMessage } from 'node:http';
import { type KoaContext, respondThrough } from './context.js';

/** The part of koa-router and @koa/router that is used here, the same in all versions. */
interface Router {
  readonly stack: readonly RouterLayer[];
}

/** A route; without methods, a middleware of `router.use`. Its copies in other routers share its stack. */
interface RouterLayer {
  readonly path: unknown;
  readonly methods: readonly string[];
  readonly stack: unknown[];
}

interface RoutedContext extends KoaContext {
  /** The outermost application. */
  readonly app: { readonly middleware: readonly unknown[] };
  readonly method: string;
  /** The router that the request reached last. */
  router: Router | undefined;
  /** The layers whose path matches, for any method, in the order in which they run. */
  readonly matched?: readonly RouterLayer[];
}

/** The request that was admitted with a context: `ctx.req` may be a proxy of it by now. */
const admitted = new WeakMap<KoaContext, IncomingMessage>();
/** By stack, which several layers may share. */
const refusers = new WeakMap<readonly unknown[], unknown>();

/**
 * Closes the unmapped routes of each router that an agent reaches. Routers assign `ctx.router` after they have matched the
 * routes, and before they read the handlers of these.
 */
export function watchRouters(context: KoaContext): void {
  if (callerOf(context.req) === undefined) return;
  admitted.set(context, context.req);
  watchRouter(context as RoutedContext);
}

const watchRouter = onAssigned<RoutedContext, 'router'>('router', (context, router, { method }) => {
  if (closesUnmapped(admittedOf(context), { method })) close(router);
});

function admittedOf(context: KoaContext): IncomingMessage {
  return admitted.get(watchedOf(context) ?? context) ?? context.req;
}

/**
 * Refuses if `agentAuth` itself is within a router, which has chosen the handlers of this request by then. They stay as they
 * are, so the request is refused if any of the routes that may follow is unmapped. If `agentAuth` is wrapped, no layer
 * shows it, and each route that the request has matched counts.
 */
export async function refuseWithin(context: KoaContext, agentAuth: HandlerMark): Promise<boolean> {
  const { method, matched = [], app } = context as RoutedContext;
  const place = matched.findIndex(({ stack }) => hasMark(stack, agentAuth));
  if (place === -1 && hasMark(app.middleware, agentAuth)) return false;
  const unmapped = matched
    .slice(Math.max(place, 0))
    .find(({ methods, stack }) => methods.includes(method) && isUnmapped(stack));
  if (unmapped === undefined || !closesUnmapped(context.req, { method })) return false;
  return await refuseAgent(context.req, routeName(method, unmapped), respondThrough(context));
}

/**
 * Whether a permit applies to everything below: the application itself uses it, and the request has reached no route.
 * Elsewhere, nothing shows where its part of the application ends: a mounted app, koa-compose and a router pass requests
 * on to what follows, and a router runs the `use` of a router that was nested in it for the routes of others, too.
 */
export function isBeforeRoutes(context: KoaContext, permit: HandlerMark): boolean {
  const { method, matched = [], app } = context as RoutedContext;
  return hasMark(app.middleware, permit) && !matched.some(({ methods }) => methods.includes(method));
}

function hasMark(stack: readonly unknown[], mark: HandlerMark): boolean {
  return stack.some((handler) => markOf(handler) === mark);
}

/** Puts the refuser before all handlers of the routes, also those of router.param() that are added later. */
function close(router: Router | undefined): void {
  for (const layer of router?.stack ?? []) {
    if (layer.methods.length === 0 || refusers.get(layer.stack) === layer.stack[0]) continue;
    layer.stack.unshift(refuserOf(layer));
    refusers.set(layer.stack, layer.stack[0]);
  }
}

function refuserOf(layer: RouterLayer): object {
  async function refuseUnmappedRoute(ctx: RoutedContext, next: () => Promise<unknown>): Promise<unknown> {
    const request = admittedOf(ctx);
    const closes = isUnmapped(layer.stack) && closesUnmapped(request, { method: ctx.method });
    const refuses = closes && (await refuseAgent(request, routeName(ctx.method, layer), respondThrough(ctx)));
    return refuses ? undefined : await next();
  }
  return markHandler(refuseUnmappedRoute, { role: 'refuser' });
}

function routeName(method: string, { path }: RouterLayer): string {
  return `${method} ${String(path)}`;
}
