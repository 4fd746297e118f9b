import {
  callerOf,
  closesUnmapped,
  type HandlerMark,
  isPermit,
  isUnmapped,
  markHandler,
  markOf,
  onAssigned,
  refuseAgent,
  watchedOf,
} from '@countersign/core/adapter';
import type { IncomingMessage } from 'node:http';
import type { KoaContext } from './context.js';

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
  readonly method: string;
  /** The router that the request reached last. */
  router: Router | undefined;
  /** The layers whose path matches, for any method, in the order in which they run. */
  readonly matched?: readonly RouterLayer[];
}

/** The request that was admitted with a context: `ctx.req` may be a proxy of it by now. */
const admitted = new WeakMap<KoaContext, IncomingMessage>();
const closedStacks = new WeakSet<readonly unknown[]>();

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
 * Refuses if `agentAuth` itself is a handler of a router, which has chosen the handlers of this request by then: what
 * `close` adds now takes effect with the next request, so this one is judged by the routes that it will reach.
 */
export async function refuseWithin(context: KoaContext, agentAuth: HandlerMark): Promise<boolean> {
  const { method, router, matched = [] } = context as RoutedContext;
  const place = matched.findIndex(({ stack }) => hasMark(stack, agentAuth));
  if (place === -1) return false;
  const own = matched[place];
  const newlyClosed = close(router);
  for (const layer of matched.slice(place)) {
    // Below a permit of router.use() nothing runs unless that permit has allowed it.
    if (layer.methods.length === 0 && layer.stack.some(isPermit)) return false;
    const judged = layer === own || newlyClosed.has(layer.stack);
    if (judged && layer.methods.includes(method) && isUnmapped(layer.stack)) {
      return closesUnmapped(context.req, { method }) && (await refuseAgent(context.req, routeName(method, layer)));
    }
  }
  return false;
}

/**
 * Whether a permit applies to everything below: it is a middleware of a router, or the request has reached no route. In a
 * route it applies to this route alone, also if another handler calls it.
 */
export function isBeforeRoutes(context: KoaContext, permit: HandlerMark): boolean {
  const { method, matched = [] } = context as RoutedContext;
  if (matched.some(({ methods, stack }) => methods.length === 0 && hasMark(stack, permit))) return true;
  return !matched.some(({ methods }) => methods.includes(method));
}

function hasMark(stack: readonly unknown[], mark: HandlerMark): boolean {
  return stack.some((handler) => markOf(handler) === mark);
}

/** Puts the refuser before all handlers of the routes, also those of router.param(). Returns the stacks newly closed. */
function close(router: Router | undefined): ReadonlySet<readonly unknown[]> {
  const open = (router?.stack ?? []).filter(({ methods, stack }) => methods.length > 0 && !closedStacks.has(stack));
  for (const layer of open) {
    if (closedStacks.has(layer.stack)) continue;
    closedStacks.add(layer.stack);
    layer.stack.unshift(refuserOf(layer));
  }
  return new Set(open.map(({ stack }) => stack));
}

function refuserOf(layer: RouterLayer): object {
  async function refuseUnmappedRoute(ctx: RoutedContext, next: () => Promise<unknown>): Promise<unknown> {
    const { method } = ctx;
    const request = admittedOf(ctx);
    if (!isUnmapped(layer.stack) || !closesUnmapped(request, { method })) return await next();
    return await refuseAgent(request, routeName(method, layer));
  }
  return markHandler(refuseUnmappedRoute, { role: 'refuser' });
}

function routeName(method: string, { path }: RouterLayer): string {
  return `${method} ${String(path)}`;
}
