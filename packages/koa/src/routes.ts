import {
  closesUnmapped,
  type HandlerMark,
  isPermit,
  markHandler,
  markOf,
  refuseUnmapped,
} from '@countersign/core/adapter';
import type { KoaContext } from './context.js';

/** What is used of koa-router and @koa/router, the same in all versions. */
interface Router {
  readonly stack: readonly RouterLayer[];
}

/** A route, or without methods a middleware of `router.use`. Copies of it in other routers share its stack. */
interface RouterLayer {
  readonly path: unknown;
  readonly methods: readonly string[];
  readonly stack: unknown[];
}

interface RoutedContext extends KoaContext {
  readonly method: string;
  /** The router that the request came to last. */
  router?: Router;
  /** The layers whose path fits, whatever their method, in the order in which they run. */
  readonly matched?: readonly RouterLayer[];
}

const closedStacks = new WeakSet<readonly unknown[]>();

/**
 * Closes the routes of each router that an agent comes to, where they ask for no permission. Routers say `ctx.router =`
 * once they have found the routes, and before they look at the handlers of these.
 */
export function watchRouters(context: KoaContext): void {
  const ctx = context as RoutedContext;
  if (!closesUnmapped(ctx.req)) return;
  let { router } = ctx;
  Object.defineProperty(ctx, 'router', {
    configurable: true,
    enumerable: true,
    get: () => router,
    set(found: Router | undefined) {
      router = found;
      close(found);
    },
  });
}

/**
 * Refuses where `agentAuth` itself stands within a router, which has chosen its handlers by then. What it closes now is
 * closed for the next request; this one is judged by what it will come to.
 */
export async function refuseWithin(context: KoaContext, agentAuth: HandlerMark): Promise<boolean> {
  const { req, method, router, matched = [] } = context as RoutedContext;
  const place = matched.findIndex(({ stack }) => hasMark(stack, agentAuth));
  if (place === -1) return false;
  const mine = matched[place];
  const newlyClosed = close(router);
  for (const layer of matched.slice(place)) {
    // A permit of router.use() will have allowed, or nothing below it runs.
    if (layer.methods.length === 0 && layer.stack.some(isPermit)) return false;
    const judged = layer === mine || newlyClosed.has(layer.stack);
    if (judged && layer.methods.includes(method) && isUnmapped(layer.stack)) {
      return await refuseUnmapped(req, routeName(method, layer));
    }
  }
  return false;
}

/** Whether a handler stands within a route that the request came to, and not before all of them. */
export function isWithinRoute(context: KoaContext, mark: HandlerMark): boolean {
  const { matched = [] } = context as RoutedContext;
  return matched.some(({ methods, stack }) => methods.length > 0 && hasMark(stack, mark));
}

function hasMark(stack: readonly unknown[], mark: HandlerMark): boolean {
  return stack.some((handler) => markOf(handler) === mark);
}

/** Whether code of the application runs in this route, and none of it asks for a permission. */
function isUnmapped(stack: readonly unknown[]): boolean {
  const handlers = stack.filter((handler) => !['agentAuth', 'refuser'].includes(markOf(handler)?.role ?? ''));
  return handlers.length > 0 && !handlers.some(isPermit);
}

/** Puts the refusal before all that stands in the routes, handlers of router.param() too. Returns which are new. */
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
    const { req, method } = ctx;
    if (isUnmapped(layer.stack) && (await refuseUnmapped(req, routeName(method, layer)))) return undefined;
    return await next();
  }
  return markHandler(refuseUnmappedRoute, { role: 'refuser' });
}

function routeName(method: string, { path }: RouterLayer): string {
  return `${method} ${String(path)}`;
}
