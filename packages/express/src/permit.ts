import {
  checkPermission,
  currentRequest,
  type PermitDecorator,
  type PermitOptions,
  permitDecorator,
  permitted,
  type Resource,
  sendRefusal,
} from '@countersign/core';
import { IncomingMessage, ServerResponse } from 'node:http';
import type { NextFunction, Request, RequestHandler, Response } from 'express';

/** What the route guards: constant, or made from the request. Build it from route parameters, never from the body alone. */
export type ResourceOf<Req> = Resource | ((req: Req) => Resource | Promise<Resource>);

/** A handler for any route: it leaves to the route what its parameters are, so that the handlers behind it know them. */
export interface PermitHandler {
  <P, ResBody, ReqBody, Query, Locals extends Record<string, unknown>>(
    req: Request<P, ResBody, ReqBody, Query, Locals>,
    res: Response<ResBody, Locals>,
    next: NextFunction,
  ): void;
}

/**
 * Puts an action to policy before the handler runs; the decision is written down first.
 *
 * @throws ConfigError when an argument is missing or wrong.
 * @example
 * ```ts
 * app.post('/repos/:owner/:repo/pulls',
 *   permit('pr.create', (req) => ({ type: 'Repo', id: `${req.params.owner}/${req.params.repo}` })),
 *   (req, res) => res.status(201).json({ by: req.caller?.actor.id }));
 * ```
 */
export function permit(action: string, resource: ResourceOf<Request>, options?: PermitOptions): PermitHandler;
/** The same with the parameters of the route known: say them, like `(req: Request<{ id: string }>) => …`. */
export function permit<P, ResBody, ReqBody, Query, Locals extends Record<string, unknown>>(
  action: string,
  resource: (req: Request<P, ResBody, ReqBody, Query, Locals>) => Resource | Promise<Resource>,
  options?: PermitOptions,
): RequestHandler<P, ResBody, ReqBody, Query, Locals>;
export function permit<P, ResBody, ReqBody, Query, Locals extends Record<string, unknown>>(
  action: string,
  resource: ResourceOf<Request<P, ResBody, ReqBody, Query, Locals>>,
  options: PermitOptions = {},
): RequestHandler<P, ResBody, ReqBody, Query, Locals> {
  checkPermission('permit', action, resource, options);
  return function permit(req, res, next) {
    const resourceOf = () => (typeof resource === 'function' ? resource(req) : resource);
    permitted(req, { action, resource: resourceOf, ...options }, (response) => sendRefusal(res, response))
      .then((allowed) => {
        if (allowed) next();
      })
      .catch(next);
  };
}

/**
 * `permit` for handlers that are methods of a controller class: a standard (TC39) decorator that also works as a legacy
 * one. The method runs only if it is permitted; it becomes asynchronous.
 *
 * @throws ConfigError when an argument is wrong, or when it decorates something other than a method.
 * @example
 * ```ts
 * class Pulls {
 *   @Permit('pr.create', (req) => ({ type: 'Repo', id: String(req.params.repo) }))
 *   create(req: Request, res: Response) { … }
 * }
 * ```
 */
export function Permit(action: string, resource: ResourceOf<Request>, options: PermitOptions = {}): PermitDecorator {
  checkPermission('@Permit', action, resource, options);
  return permitDecorator(`@Permit('${action}')`, async (args) => {
    const req = requestOf(args);
    const res = args.find((argument) => argument instanceof ServerResponse) ?? req?.res;
    // Without a request there is nobody to ask for, so the method must not run.
    if (req === undefined || res === undefined) throw notServing(action);
    const resourceOf = () => (typeof resource === 'function' ? resource(req) : resource);
    return await permitted(req, { action, resource: resourceOf, ...options }, (response) => sendRefusal(res, response));
  });
}

/** The request that a handler was called with, or that is being served where it takes none. */
function requestOf(args: readonly unknown[]): Request | undefined {
  return (args.find((argument) => argument instanceof IncomingMessage) ?? currentRequest()) as Request | undefined;
}

function notServing(action: string): Error {
  return new Error(`@Permit('${action}'): called outside of a request that agentAuth let in`);
}
