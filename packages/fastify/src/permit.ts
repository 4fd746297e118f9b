import {
  type PermitDecorator,
  type PermitOptions,
  permission,
  permitDecorator,
  type ResourceOf,
} from '@countersign/core/adapter';
import type { FastifyReply } from 'fastify';
import { replyTo, type ServedRequest, sendThrough } from './exchange.js';
import { refuseUnguarded } from './outside.js';
import type { PermitRequest, RoutePermit } from './route-permit.js';

/** Options of a route that asks for a permission. */
export interface PermitRoute {
  readonly config: { readonly permit: RoutePermit | false };
  readonly preHandler: (request: ServedRequest, reply: object, done: () => void) => void;
}

/**
 * The options of a route that asks for a permission. `agentAuth` asks before the route's own preHandlers; the decision is
 * written down first. Together with other options: `{ ...permit(…), schema }`.
 *
 * @throws ConfigError when an argument is missing or wrong.
 * @example
 * ```ts
 * app.post('/repos/:owner/:repo/pulls',
 *   permit('pr.create', ({ params }) => ({ type: 'Repo', id: `${params.owner}/${params.repo}` })),
 *   async (request, reply) => reply.code(201).send({ by: request.caller?.actor.id }));
 * ```
 */
export function permit<Request = PermitRequest>(
  action: string,
  resource: ResourceOf<Request>,
  options?: PermitOptions,
): PermitRoute;
/** `permit(false)`: lets every verified agent in, without a decision. `actingUser` stays undefined there. */
export function permit(action: false): PermitRoute;
export function permit<Request>(
  action: string | false,
  resource?: ResourceOf<Request>,
  options: PermitOptions = {},
): PermitRoute {
  permission('permit', action, resource, options);
  if (action === false) return { config: { permit: false }, preHandler };
  return { config: { permit: { action, resource: resource as RoutePermit['resource'], ...options } }, preHandler };
}

/** The route is closed also where there is no `agentAuth` at all. */
function preHandler(request: ServedRequest, reply: object, done: () => void): void {
  if (!refuseUnguarded(request, reply as FastifyReply)) done();
}

/**
 * `permit` for handlers that are methods of a controller class: a standard (TC39) decorator that also works as a legacy
 * one. The method runs only if it is permitted; it becomes asynchronous. Give the method itself or a bound copy to the
 * route; around an arrow function the route needs `config: { permit: false }`, because nobody can look inside.
 *
 * @throws ConfigError when an argument is wrong, or when it decorates something other than a method.
 * @example
 * ```ts
 * class Pulls {
 *   @Permit('pr.create', ({ params }) => ({ type: 'Repo', id: params.repo }))
 *   async create(request: FastifyRequest, reply: FastifyReply) { … }
 * }
 * app.post('/repos/:repo/pulls', pulls.create.bind(pulls));
 * ```
 */
export function Permit<Request = PermitRequest>(
  action: string,
  resource: ResourceOf<Request>,
  options?: PermitOptions,
): PermitDecorator {
  const enforce = permission('@Permit', action, resource, options);
  return permitDecorator(`@Permit('${action}')`, async (args) => {
    // The request that the handler was called with, never one from the surroundings: a batch may serve several callers.
    const reply = args.map(replyTo).find((found) => found !== undefined);
    // Without a request there is nobody to ask for, so the method must not run.
    if (reply === undefined) throw new Error(`@Permit('${action}'): pass the method its request and reply`);
    return await enforce(reply.request.raw, reply.request as unknown as Request, sendThrough(reply));
  });
}
