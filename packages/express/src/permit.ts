import {
  admissionOf,
  askLeave,
  checkOptionNames,
  ConfigError,
  type Resource,
  refusalResponse,
  sendRefusal,
} from '@countersign/core';
import type { Request, RequestHandler } from 'express';
import { refuse } from './agent-auth.js';

export interface PermitOptions {
  /** The scope that the caller must hold besides policy's consent, like `pr:write:draft`. */
  readonly requires?: string;
}

/** What the route guards: constant, or made from the request. Build it from route parameters, never from the body alone. */
export type ResourceOf<Req> = Resource | ((req: Req) => Resource | Promise<Resource>);

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
export function permit<P, ResBody, ReqBody, Query, Locals extends Record<string, unknown>>(
  action: string,
  resource: ResourceOf<Request<P, ResBody, ReqBody, Query, Locals>>,
  options: PermitOptions = {},
): RequestHandler<P, ResBody, ReqBody, Query, Locals> {
  if (typeof action !== 'string' || action === '')
    throw new ConfigError('permit: name the action, like permit("pr.create", …).');
  if (typeof resource !== 'function' && (typeof resource !== 'object' || resource === null)) {
    throw new ConfigError(
      `permit('${action}'): name the resource, like { type: 'Repo', id: 'acme/api' }, or a function that makes it.`,
    );
  }
  checkOptionNames(`permit('${action}')`, options, ['requires']);
  const { requires } = options;

  return function permit(req, res, next) {
    const resourceOf = () => (typeof resource === 'function' ? resource(req) : resource);
    askLeave(req, { action, resource: resourceOf, ...(requires === undefined ? {} : { requires }) })
      .then((refused) => {
        if (refused === undefined) return next();
        const admission = admissionOf(req);
        if (admission === undefined) return sendRefusal(res, refusalResponse(refused, ''));
        refuse(admission.guard, refused, req as unknown as Request, res, next);
      })
      .catch(next);
  };
}
