import { admissionOf, closesUnmapped, isPermit, isUnmapped, mayBeSkipped, onAssigned } from '@countersign/core/adapter';
import { callerOf, rawResponderOf, refuseAgent, routerCoverage, showWhile, watchedOf } from '@countersign/core/adapter';
import type { IncomingMessage } from 'node:http';
import { type ExpressRequest, middleware, type Next } from './middleware.js';

/** The part of an Express Route that is used here, the same in 4 and 5. */
interface Route {
  readonly path: unknown;
  readonly methods: Readonly<Record<string, boolean>>;
  stack: readonly RouteLayer[];
}

/** One handler of a Route; without a method it runs for all methods. */
interface RouteLayer {
  readonly handle: unknown;
  readonly method?: string;
}

type LayerClass = new (path: string, options: object, handle: unknown) => RouteLayer;

/** A request in Express: with the Route that it is in, or was in last, and the parameters of that Route. */
interface RoutedRequest extends ExpressRequest {
  route: Route | undefined;
  params: object;
  /** Goes on in the router that the request is in. */
  next?: Next;
}

/** What is known of the Route of a watched request. */
interface RouteWatch {
  /** Whether the request has entered a Route since it was admitted. */
  entered: boolean;
  /** Whether handlers of router.param() must not run for the Route that it is in: no permit in it would be asked. */
  hides: boolean;
}

const watches = new WeakMap<object, RouteWatch>();
const hidesParams = new WeakSet<RoutedRequest>();
const refusers = new WeakMap<Route, RouteLayer>();

/**
 * Closes each Route that an agent reaches, if it has no permit, or one that an error may skip. Express assigns `req.route`
 * before it runs any handler of the Route. Routes are watched while they are open, too: an inner `agentAuth` may close those that follow. Refuses if
 * `agentAuth`, which was called with `next`, is within an unmapped Route itself. Resolves to whether the request may go on.
 */
export async function watchRoutes(request: ExpressRequest, next: Next): Promise<boolean> {
  const req = request as RoutedRequest;
  // The Route may not show it, if it is wrapped. In a router, `next` is that of the router.
  const within = next === req.next ? undefined : req.route;
  if (within !== undefined && (await refuse(within, req, req))) return false;
  if (watches.has(req) || callerOf(req) === undefined) return true;
  watches.set(req, { entered: within !== undefined, hides: false });
  watchRoute(req);
  return true;
}

const watchRoute = onAssigned<RoutedRequest, 'route'>('route', (admitted, route, req) => {
  const watch = watches.get(admitted) as RouteWatch;
  watch.hides = false;
  if (route === undefined) return;
  watch.entered = true;
  const handlers = handlersOf(route, req);
  const isSkipped = mayBeSkipped(handlers);
  if (!isSkipped && !isClosed(req, admitted)) return;
  close(route);
  // HEAD enters a Route in which nothing serves it, too: its refuser, which lets it go on, shows the parameters again.
  const isBare = isSkipped || !handlers.some(isPermit);
  watch.hides = isBare && admissionOf(admitted)?.guard.mode !== 'observe';
  if (watch.hides) hideParams(req, watch);
});

/** Handlers of router.param() run before the Route. Without values Express skips them, so they reveal nothing. */
function hideParams(req: RoutedRequest, watch: RouteWatch): void {
  if (hidesParams.has(req)) return;
  hidesParams.add(req);
  showWhile(req, 'params', {}, () => watch.hides);
}

/**
 * Makes a permit that has allowed a request apply to everything below it in its router. In a Route it applies to this Route
 * alone, also if another handler calls it. Express does not tell when a Route is left, so after one nothing is covered.
 */
export function coverRouter(request: ExpressRequest): void {
  const req = request as RoutedRequest;
  if (watches.get(req)?.entered === false) coverInRouter(req, req.baseUrl);
}

const coverInRouter = routerCoverage<RoutedRequest>('next', 'baseUrl');

/** The handlers of a Route that run for the method of a request. */
function handlersOf({ methods, stack }: Route, { method = '' }: ExpressRequest): readonly unknown[] {
  // Express enters a Route with HEAD even if no handler of it would run.
  const served = /^head$/i.test(method) && methods['head'] !== true ? 'get' : method.toLowerCase();
  return stack.filter((layer) => layer.method === undefined || layer.method === served).map(({ handle }) => handle);
}

/** Puts the refuser before all handlers of a Route, also those that are added or put in their place later. */
function close(route: Route): void {
  const [first] = route.stack;
  if (first === undefined || first === refusers.get(route)) return;
  const Layer = first.constructor as LayerClass;
  const refuser = new Layer('/', {}, refuserOf(route));
  refusers.set(route, refuser);
  // A new array: requests on their way through the old one would run a handler twice.
  route.stack = [refuser, ...route.stack];
}

function refuserOf(route: Route): object {
  return middleware<ExpressRequest>({ role: 'refuser' }, async (req, res) => {
    // The application may have handed the router another object than the admitted one.
    const admitted = watchedOf(req) ?? watchedOf(res.req as ExpressRequest);
    const isRefused = admitted !== undefined && (await refuse(route, req, admitted));
    const watch = watches.get(admitted ?? req);
    if (watch !== undefined && !isRefused) watch.hides = false;
    return !isRefused;
  });
}

/** Refuses an agent on an unmapped Route. Resolves to whether it did; the request has then been answered. */
async function refuse(route: Route, req: ExpressRequest, admitted: IncomingMessage): Promise<boolean> {
  const handlers = handlersOf(route, req);
  // Whatever else has been decided says nothing of the permit that is skipped.
  const isSkipped = mayBeSkipped(handlers);
  if (!isSkipped && !(isClosed(req, admitted) && isUnmapped(handlers))) return false;
  const name = `${req.method} ${req.baseUrl}${String(route.path)}`;
  if (isSkipped) admissionOf(admitted)?.guard.report(permitSkipped, name);
  else if (handlers.some(isReplacedPermit)) admissionOf(admitted)?.guard.report(permitReplaced, name);
  return await refuseAgent(admitted, name, rawResponderOf(admitted));
}

const permitReplaced =
  'something has put a function of its own in place of a permit, so the route is closed. New Relic does so: ' +
  'switch off its instrumentation of Express';

const permitSkipped =
  'an error before the permit skips it, and a handler of errors behind it may go on, so the route is closed. Put the permit first';

/** Whether a wrapper, which lost the mark, kept the name. An unmapped route has no other handler of this name. */
function isReplacedPermit(handler: unknown): boolean {
  return typeof handler === 'function' && handler.name === 'permit';
}

function isClosed({ method, baseUrl, url = '' }: ExpressRequest, admitted: IncomingMessage): boolean {
  // A target in absolute form keeps its origin under a mount: http://api.acme.dev/x.
  return closesUnmapped(admitted, { method, path: `${baseUrl}${url.replace(/^\w+:\/\/[^/?]*/, '')}` });
}
