import {
  nodeCall,
  type PermitOptions,
  type Permits,
  permitCheck,
  permitDecorator,
  type ResourceOf,
  sendRefusal,
} from '@countersign/core/adapter';
import type { ExpressMiddleware, ExpressRequest, Next, RouteRequest } from './middleware.js';
import { failWith, middleware } from './middleware.js';
import { coverRouter } from './routes.js';

/**
 * Asks policy for an action before the handler runs; the decision is recorded first. In a route it applies to this route
 * alone, in `app.use` to everything below, in the `use` of a router to what is below in this router.
 *
 * @throws ConfigError when an argument is missing or wrong.
 * @example
 * ```ts
 * app.post('/repos/:owner/:repo/pulls',
 *   permit('pr.create', (req) => ({ type: 'Repo', id: `${req.params.owner}/${req.params.repo}` })),
 *   (req, res) => res.status(201).json({ by: req.caller?.actor.id }));
 * ```
 */
export function permit(action: string, resource: ResourceOf<RouteRequest>, options?: PermitOptions): ExpressMiddleware;
/** The same with typed parameters of the route, like `(req: Request<{ id: string }>) => …`. */
export function permit<Request>(
  action: string,
  resource: ResourceOf<Request>,
  options?: PermitOptions,
): ExpressMiddleware<Request & ExpressRequest>;
/** `permit(false)`: admits every verified agent without a decision. `actingUser` stays undefined there. */
export function permit(action: false): ExpressMiddleware;
export function permit<Request>(
  action: string | false,
  resource?: ResourceOf<Request>,
  options?: PermitOptions,
): ExpressMiddleware<Request & ExpressRequest> {
  const check = permitCheck(action, resource, options);
  return middleware({ role: 'permit' }, async (req, res) => {
    const allowed = await check(req, req, (refused) => sendRefusal(res, refused));
    if (allowed) coverRouter(req);
    return allowed;
  });
}

/**
 * `permit` for handlers that are methods of a controller class: a standard (TC39) decorator that also works as a legacy
 * one. The method becomes asynchronous, and runs only with the permission. Its errors go to `next` if it is called with
 * one, as Express does; otherwise its promise rejects.
 *
 * @throws ConfigError when an argument is wrong, or when it decorates something other than a method.
 * @example
 * ```ts
 * class Pulls {
 *   @Permit('pr.create', (req) => ({ type: 'Repo', id: req.params.repo }))
 *   create(req: Request, res: Response) { … }
 * }
 * ```
 */
export const Permit: Permits<RouteRequest> = permitDecorator({
  needs: 'its request and response',
  callOf: nodeCall,
  // Express 4 ignores the promise of a handler: the request would hang, and the process might end.
  onError(error, [, , next]) {
    if (typeof next !== 'function') throw error;
    failWith(error, next as Next);
  },
});
