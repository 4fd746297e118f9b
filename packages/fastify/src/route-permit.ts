import { type Caller, ConfigError } from '@countersign/core';
import { admitEveryAgent, isUnmapped, neverSettling, permissionCheck, refuseAgent } from '@countersign/core/adapter';
import type { PermissionCheck, PermitOptions, ResourceOf } from '@countersign/core/adapter';
import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import { respondThrough, type ServedRequest } from './exchange.js';

/** A request whose parameters are text, which they are unless a schema converts them. */
export type PermitRequest = FastifyRequest<{ Params: Readonly<Record<string, string>> }>;

/** The permission that a route needs: `config: { permit: { action: 'pr.create', resource: … } }`. */
export interface RoutePermit extends PermitOptions {
  /** The Cedar action, like `pr.create`. */
  readonly action: string;
  /** The resource of the route. Build it from route parameters, never from the body alone. */
  readonly resource: ResourceOf<PermitRequest>;
}

type Configured = Pick<RouteOptions, 'config'>;

/**
 * Reads the `config.permit` of a route. Called for each request too: `onRoute` does not see routes that were declared
 * before the plugin was loaded.
 *
 * @throws ConfigError that says what to do.
 */
export function permitOf({ config }: Configured): PermissionCheck<PermitRequest> | undefined {
  const permit = config?.permit;
  if (permit === undefined || permit === false) return permit === false ? admitEveryAgent : undefined;
  if (permit === 'refuse') return refuseEveryAgent;
  if (typeof permit !== 'object' || permit === null)
    throw new ConfigError("config.permit: write { action: 'pr.create', resource: … }, false or 'refuse'.");
  const { action, resource, ...options } = permit;
  return permissionCheck('config.permit', action, resource, options);
}

/** `config.permit: 'refuse'`: only people go on. */
const refuseEveryAgent: PermissionCheck<PermitRequest> = async (raw, request, respond) =>
  (await admitEveryAgent(raw, request, respond)) &&
  !(await refuseAgent(raw, `${request.method} ${request.routeOptions.url ?? ''}`, respond));

/** Requests that have the permission of their route, with its permit: `reply.callNotFound()` gives them another route. */
const permitted = new WeakMap<FastifyRequest, unknown>();

/** A hook that enforces the `config.permit` of the route, unless that has been done. Never settles if it has answered. */
export async function enforceRoutePermit(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  const permit = request.routeOptions.config?.permit;
  if (permit === undefined) return;
  // A request that was refused since then, which the application may have caught, goes no further.
  const check = permitted.get(request) === permit ? admitEveryAgent : permitOf(request.routeOptions);
  if (!(await check?.(request.raw, request as PermitRequest, respondThrough(reply)))) await neverSettling();
  permitted.set(request, permit);
}

/**
 * The preHandler of every route that `permit` made. Enforces the permit where no `agentAuth` does, which the guard of another
 * host may have let the request into; closes the route if no guard has, and if another `config` replaced the permit of a
 * route that was declared before `agentAuth` could see it.
 */
export async function permitPreHandler(request: ServedRequest, reply: object): Promise<void> {
  const { routeOptions } = request as FastifyRequest;
  if (permitOf(routeOptions) === undefined) throw lost(routeOptions.url ?? '');
  await enforceRoutePermit(request as FastifyRequest, reply as FastifyReply);
}

/**
 * Checks that a route that `permit` made still has a permit: `{ ...permit(…), config: { … } }` loses it silently.
 *
 * @throws ConfigError that says what to do.
 */
export function checkPermitKept(route: RouteOptions): void {
  if ([route.preHandler].flat().includes(permitPreHandler) && permitOf(route) === undefined) throw lost(route.url);
}

/** Whether agents may use a route: it asks for a permission, or its handler does. */
export function isMapped(route: FastifyRequest['routeOptions'] | RouteOptions): boolean {
  return permitOf(route) !== undefined || !isUnmapped([route.handler]);
}

function lost(url: string): ConfigError {
  return new ConfigError(`${url}: 'config' replaces the permit. Write config: { permit: { action, resource }, … }.`);
}

declare module 'fastify' {
  interface FastifyRequest {
    /** The verified caller; undefined until `agentAuth` has admitted the request, and for people. */
    readonly caller: Caller | undefined;
  }
  interface FastifyContextConfig {
    /**
     * The permission that the route needs. `false`: every verified agent is admitted without a decision. `refuse`: no
     * agent is admitted, regardless of the option `unmapped` of `agentAuth`.
     */
    readonly permit?: RoutePermit | false | 'refuse';
  }
}
