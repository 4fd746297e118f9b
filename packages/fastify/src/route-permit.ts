import { type Caller, checkOptionNames, ConfigError } from '@countersign/core';
import {
  admitEveryAgent,
  type PermissionCheck,
  permissionCheck,
  type PermitOptions,
  type ResourceOf,
} from '@countersign/core/adapter';
import type { FastifyRequest, RouteOptions } from 'fastify';

/** A request whose parameters are text, which they are unless a schema converts them. */
export type PermitRequest = FastifyRequest<{ Params: Readonly<Record<string, string>> }>;

/** The permission that a route needs: `config: { permit: { action: 'pr.create', resource: … } }`. */
export interface RoutePermit extends PermitOptions {
  /** The Cedar action, like `pr.create`. */
  readonly action: string;
  /** The resource of the route. Build it from route parameters, never from the body alone. */
  readonly resource: ResourceOf<PermitRequest>;
}

/**
 * Reads the `config.permit` of a route. Called for each request too: `onRoute` does not see routes that were declared
 * before the plugin was loaded.
 *
 * @throws ConfigError that says what to do.
 */
export function permitOf({
  config,
}: Pick<RouteOptions, 'config'>): PermissionCheck<PermitRequest> | 'refuse' | undefined {
  const permit = config?.permit;
  if (permit === undefined || permit === 'refuse') return permit;
  if (permit === false) return admitEveryAgent;
  if (typeof permit !== 'object' || permit === null) {
    throw new ConfigError("config.permit: write { action: 'pr.create', resource: … }, false or 'refuse'.");
  }
  checkOptionNames('config.permit', permit, ['action', 'resource', 'requires', 'agentsOnly']);
  const { action, resource, ...options } = permit;
  return permissionCheck('config.permit', action, resource, options);
}

declare module 'fastify' {
  interface FastifyRequest {
    /** The verified caller; null until `agentAuth` has admitted the request, and for people. */
    readonly caller: Caller | null;
  }
  interface FastifyContextConfig {
    /**
     * The permission that the route needs. `false`: every verified agent is admitted without a decision. `refuse`: no
     * agent is admitted, regardless of the option `unmapped` of `agentAuth`.
     */
    readonly permit?: RoutePermit | false | 'refuse';
  }
}
