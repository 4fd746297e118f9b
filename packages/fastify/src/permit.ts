import type { PermitOptions, Permits, ResourceOf } from '@countersign/core/adapter';
import { permitCheck, permitDecorator, responderOf } from '@countersign/core/adapter';
import type { FastifyReply } from 'fastify';
import { respondThrough } from './exchange.js';
import { type PermitRequest, permitPreHandler, type RoutePermit } from './route-permit.js';

/** The options of a route with a permit. */
export interface PermitRoute {
  readonly config: { readonly permit: RoutePermit | false };
  readonly preHandler: typeof permitPreHandler;
}

/**
 * The options of a route with a permit. `agentAuth` asks policy before the route's own preHandlers; the decision is
 * recorded first. Together with other options: `{ ...permit(…), schema }`.
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
/** `permit(false)`: admits every verified agent without a decision. `actingUser` stays undefined there. */
export function permit(action: false): PermitRoute;
export function permit<Req>(action: string | false, resource?: ResourceOf<Req>, options?: PermitOptions): PermitRoute {
  permitCheck(action, resource, options);
  const permit = action !== false && { action, resource: resource as RoutePermit['resource'], ...options };
  return { config: { permit }, preHandler: permitPreHandler };
}

/**
 * `permit` for handlers that are methods of a controller class: a standard (TC39) decorator that also works as a legacy
 * one. The method becomes asynchronous, and runs only with the permission. Give the method itself or a bound copy to the
 * route; an arrow function around it hides the permit, so such a route needs `config: { permit: false }`.
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
export const Permit: Permits<PermitRequest> = permitDecorator({
  needs: 'its request and reply',
  callOf(args) {
    const request = args.find((each) => responderOf(Object(each).raw) !== undefined) as PermitRequest | undefined;
    const reply = args.find((each) => Object(each).request === request) as FastifyReply | undefined;
    const respond = reply === undefined ? request && responderOf(request.raw) : respondThrough(reply);
    return request && respond && { node: request.raw, request, respond };
  },
});
