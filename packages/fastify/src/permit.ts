import {
  type HandlerHost,
  type PermitOptions,
  type Permits,
  permitCheck,
  permitDecorator,
  type ResourceOf,
} from '@countersign/core/adapter';
import { replyTo, type ServedRequest, respondThrough } from './exchange.js';
import { permitPreHandler } from './lost-permit.js';
import type { PermitRequest, RoutePermit } from './route-permit.js';

/** The options of a route with a permit. */
export interface PermitRoute {
  readonly config: { readonly permit: RoutePermit | false };
  readonly preHandler: (request: ServedRequest, reply: object, done: (error?: Error) => void) => void;
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
export function permit<Request>(
  action: string | false,
  resource?: ResourceOf<Request>,
  options: PermitOptions = {},
): PermitRoute {
  permitCheck(action, resource, options);
  if (action === false) return { config: { permit: false }, preHandler: permitPreHandler };
  const permit = { action, resource: resource as RoutePermit['resource'], ...options };
  return { config: { permit }, preHandler: permitPreHandler };
}

const controllers: HandlerHost = {
  needs: 'its request and reply',
  callOf(args) {
    const reply = args.map(replyTo).find((found) => found !== undefined);
    return reply && { node: reply.request.raw, request: reply.request, respond: respondThrough(reply) };
  },
};

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
export const Permit: Permits<PermitRequest> = permitDecorator(controllers);
