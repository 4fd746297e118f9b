import {
  closesUnmapped,
  type HandlerMark,
  isPermit,
  markHandler,
  markOf,
  refuseUnmapped,
} from '@countersign/core/adapter';
import type { ExpressRequest, Next } from './request-types.js';

/** What is used of a Route of Express, the same in 4 and 5. */
interface Route {
  readonly path: unknown;
  readonly methods: Readonly<Record<string, boolean>>;
  readonly stack: RouteLayer[];
}

/** One handler of a Route; without a method it runs for all. */
interface RouteLayer {
  readonly handle: unknown;
  readonly method?: string;
}

type LayerClass = new (path: string, options: object, handle: unknown) => RouteLayer;

/** A request as Express leaves it: the Route that it is in, or was in last, and the parameters of that. */
interface RoutedRequest extends ExpressRequest {
  baseUrl: string;
  route?: Route;
  params: object;
}

const watched = new WeakSet<ExpressRequest>();
const closedRoutes = new WeakSet<Route>();

/**
 * Closes each Route that an agent comes to, if it asks for no permission. Express tells of a Route by `req.route`, before
 * anything of it runs. The property is the request's own: Express gives the request of a mounted app another prototype.
 */
export function watchRoutes(request: ExpressRequest): void {
  const req = request as RoutedRequest;
  if (watched.has(req) || !closesUnmapped(req)) return;
  watched.add(req);
  let { route, params } = req;
  let hidden = false;
  Object.defineProperty(req, 'route', {
    configurable: true,
    enumerable: true,
    get: () => route,
    set(found: Route | undefined) {
      route = found;
      if (found !== undefined) close(found);
      hidden = found !== undefined && closesUnmapped(req) && isUnmapped(found, req);
    },
  });
  // Handlers of router.param() run before the Route. Without values they are skipped, and tell nothing of what exists.
  Object.defineProperty(req, 'params', {
    configurable: true,
    enumerable: true,
    get: () => (hidden ? {} : params),
    set(found: object) {
      params = found;
    },
  });
}

/** Refuses where `agentAuth` itself stands within a Route, which has begun by then. */
export async function refuseWithin(request: ExpressRequest, agentAuth: HandlerMark): Promise<boolean> {
  const req = request as RoutedRequest;
  if (!isWithinRoute(req, agentAuth) || !isUnmapped(req.route as Route, req)) return false;
  return await refuseUnmapped(req, routeName(req));
}

/** Whether a handler stands within the Route that the request is in, and not before it. */
export function isWithinRoute(request: ExpressRequest, mark: HandlerMark): boolean {
  const { route } = request as RoutedRequest;
  return route?.stack?.some(({ handle }) => markOf(handle) === mark) ?? false;
}

/** Whether code of the application would run in this Route, and none of it asks for a permission. */
function isUnmapped({ methods, stack }: Route, { method = '' }: ExpressRequest): boolean {
  const asked = method.toLowerCase();
  const served = asked === 'head' && methods['head'] !== true ? 'get' : asked;
  const handlers = stack
    .filter((layer) => layer.method === undefined || layer.method === served)
    .map(({ handle }) => handle)
    // Express comes with HEAD to every Route, also where nothing of it would run.
    .filter((handle) => !['agentAuth', 'refuser'].includes(markOf(handle)?.role ?? ''));
  return handlers.length > 0 && !handlers.some(isPermit);
}

/** Puts the refusal before all that stands in a Route. What is added to the Route later comes after it. */
function close(route: Route): void {
  const [first] = route.stack;
  if (first === undefined || closedRoutes.has(route)) return;
  closedRoutes.add(route);
  const Layer = first.constructor as LayerClass;
  route.stack.unshift(new Layer('/', {}, refuser));
}

const refuser = markHandler(
  function refuseUnmappedRoute(req: RoutedRequest, _res: object, next: Next): void {
    if (!closesUnmapped(req) || req.route === undefined || !isUnmapped(req.route, req)) return next();
    refuseUnmapped(req, routeName(req)).then((refused) => {
      if (!refused) next();
    }, next);
  },
  { role: 'refuser' },
);

function routeName({ method, baseUrl, route }: RoutedRequest): string {
  return `${method} ${baseUrl}${String(route?.path)}`;
}
