import { ConfigError } from '@countersign/core';
import { refuseUnguarded } from '@countersign/core/adapter';
import type { IncomingMessage } from 'node:http';
import type { FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import { respondThrough, type ServedRequest } from './exchange.js';

/**
 * The preHandler of every route that `permit` made. Closes the route if the application has no `agentAuth` at all, and if
 * another `config` replaced the permit of a route that was declared before `agentAuth` could see it.
 */
export function permitPreHandler(request: ServedRequest, reply: object, done: (error?: Error) => void): void {
  if (refuseUnguarded(request.raw as IncomingMessage, respondThrough(reply as FastifyReply))) return;
  const { routeOptions } = request as FastifyRequest;
  done(hasPermit(routeOptions) ? undefined : lost(routeOptions.url ?? ''));
}

/**
 * Checks that a route that `permit` made still has a permit: `{ ...permit(…), config: { … } }` loses it silently.
 *
 * @throws ConfigError that says what to do.
 */
export function checkPermitKept(route: RouteOptions): void {
  if ([route.preHandler].flat().includes(permitPreHandler) && !hasPermit(route)) throw lost(route.url);
}

function hasPermit({ config }: Pick<RouteOptions, 'config'>): boolean {
  return config?.permit !== undefined;
}

function lost(url: string): ConfigError {
  return new ConfigError(
    `${url}: 'config' replaces the permit of this route. Put both into it: config: { permit: { action, resource }, … }.`,
  );
}
