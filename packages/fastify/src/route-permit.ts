import { type Caller, checkOptionNames, ConfigError } from '@countersign/core';
import { checkPermission, type PermitOptions, type ResourceOf } from '@countersign/core/adapter';
import type { FastifyRequest } from 'fastify';

/** A request whose parameters are text, as they are unless a schema converts them. */
export type PermitRequest = FastifyRequest<{ Params: Readonly<Record<string, string>> }>;

/** What a route asks leave for: `config: { permit: { action: 'pr.create', resource: … } }`. */
export interface RoutePermit extends PermitOptions {
  /** The Cedar action, like `pr.create`. */
  readonly action: string;
  /** What the route guards. Build it from route parameters, never from the body alone. */
  readonly resource: ResourceOf<PermitRequest>;
}

/** @throws ConfigError that says what to do. */
export function checkRoutePermit(permit: RoutePermit): void {
  if (typeof permit !== 'object' || permit === null) {
    throw new ConfigError("config.permit: write { action: 'pr.create', resource: … }, false or 'refuse'.");
  }
  checkOptionNames('config.permit', permit, ['action', 'resource', 'requires', 'agentsOnly']);
  const { action, resource, ...options } = permit;
  checkPermission('config.permit', action, resource, options);
}

declare module 'fastify' {
  interface FastifyRequest {
    /** Who calls; null until `agentAuth` has let the request in, and for whoever is not an agent. */
    readonly caller: Caller | null;
  }
  interface FastifyContextConfig {
    /**
     * What the route asks leave for. `false`: an agent that has verified is let in without a decision. `refuse`: no agent
     * is let in, whatever `agentAuth` says of routes without a permit.
     */
    readonly permit?: RoutePermit | false | 'refuse';
  }
}
