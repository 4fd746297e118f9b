import {
  coverBelow,
  type HandlerMark,
  markHandler,
  type PermitDecorator,
  type PermitOptions,
  permission,
  permitDecorator,
  type ResourceOf,
  sendRefusal,
} from '@countersign/core/adapter';
import { IncomingMessage, ServerResponse } from 'node:http';
import type { ExpressMiddleware, ExpressRequest, Next, RouteRequest } from './request-types.js';
import { isWithinRoute } from './routes.js';

/**
 * Puts an action to policy before the handler runs; the decision is written down first. In a route it counts for this
 * route alone, in `app.use` for everything below.
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
/** The same with the parameters of the route known: say them, like `(req: Request<{ id: string }>) => …`. */
export function permit<Request>(
  action: string,
  resource: ResourceOf<Request>,
  options?: PermitOptions,
): ExpressMiddleware<Request & ExpressRequest>;
/** `permit(false)`: lets every verified agent in, without a decision. `actingUser` stays undefined there. */
export function permit(action: false): ExpressMiddleware;
export function permit<Request>(
  action: string | false,
  resource?: ResourceOf<Request>,
  options?: PermitOptions,
): ExpressMiddleware<Request & ExpressRequest> {
  const enforce = permission('permit', action, resource, options);
  const mark: HandlerMark = { role: 'permit' };
  function permit(req: Request & ExpressRequest, res: ServerResponse, next: Next): void {
    enforce(req, req, (refused) => sendRefusal(res, refused))
      .then((allowed) => {
        if (!allowed) return;
        if (!isWithinRoute(req, mark)) coverBelow(req);
        next();
      })
      .catch(next);
  }
  return markHandler(permit, mark);
}

/**
 * `permit` for handlers that are methods of a controller class: a standard (TC39) decorator that also works as a legacy
 * one. The method runs only if it is permitted; it becomes asynchronous. Its errors go to `next` where it is called
 * with one, as Express does; otherwise its promise rejects.
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
export function Permit<Request = RouteRequest>(
  action: string,
  resource: ResourceOf<Request>,
  options?: PermitOptions,
): PermitDecorator {
  const enforce = permission('@Permit', action, resource, options);
  async function ask(args: readonly unknown[]): Promise<boolean> {
    // The request that the method was called with, never one from the surroundings: a batch may serve several callers.
    const req = args.find((argument): argument is ServedRequest => argument instanceof IncomingMessage);
    const res = args.find((argument) => argument instanceof ServerResponse) ?? req?.res;
    // Without a request there is nobody to ask for, so the method must not run.
    if (req === undefined || res === undefined) {
      throw new Error(`@Permit('${action}'): pass the method its request and response`);
    }
    return await enforce(req, req as unknown as Request, (refused) => sendRefusal(res, refused));
  }
  return permitDecorator(`@Permit('${action}')`, ask, { onError: toNext });
}

type ServedRequest = IncomingMessage & { readonly res?: ServerResponse };

/** Express 4 does not look at the promise of a handler: the request would hang, and the process might end. */
function toNext(error: unknown, [, , next]: readonly unknown[]): void {
  if (typeof next !== 'function') throw error;
  (next as Next)(error);
}
