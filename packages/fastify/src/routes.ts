import { type Guard } from '@countersign/core';
import {
  exempt,
  isPermit,
  permissionRequest,
  enforcePermission,
  refuseAgent,
  refuseUnmapped,
} from '@countersign/core/adapter';
import type { FastifyInstance, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import { sendThrough } from './exchange.js';
import { rootOf } from './outside.js';
import { checkRoutePermit, type PermitRequest, type RoutePermit } from './route-permit.js';

type Route = Pick<FastifyRequest['routeOptions'], 'config' | 'handler'> | RouteOptions;

/** Refuses an agent on a route that is closed to it. Resolves to whether it did, and the request has been answered. */
export async function refuseClosed({ raw, is404, method, routeOptions }: FastifyRequest): Promise<boolean> {
  if (is404) return false;
  const route = `${method} ${routeOptions.url ?? ''}`;
  if (permitOf(routeOptions) === 'refuse') return await refuseAgent(raw, route);
  return !hasSaid(routeOptions) && (await refuseUnmapped(raw, route));
}

/** Asks what the route's `config.permit` says. Resolves to whether the handler may run. */
export async function askPermission(request: FastifyRequest, reply: FastifyReply): Promise<boolean> {
  const permit = permitOf(request.routeOptions);
  // `refuse` was dealt with before; it is for agents alone.
  if (permit === undefined || permit === 'refuse') return true;
  if (permit === false) return exempt(request.raw, sendThrough(reply));
  const { action, resource, ...options } = permit;
  return await enforcePermission(
    request.raw,
    permissionRequest(action, resource, options, request as PermitRequest),
    sendThrough(reply),
  );
}

/** Has its say in `config.permit`, or its handler asks by itself. */
function hasSaid(route: Route): boolean {
  return permitOf(route) !== undefined || isPermit(route.handler);
}

/** Checked for each request too: routes that were declared before the plugin was loaded are not seen at their declaration. */
function permitOf({ config }: Route): RoutePermit | false | 'refuse' | undefined {
  const permit = config?.permit;
  if (permit !== undefined && permit !== false && permit !== 'refuse') checkRoutePermit(permit);
  return permit;
}

/** The closed routes of an application, until they have been listed. */
const closedRoutes = new WeakMap<FastifyInstance, Set<string>>();

/** A wrong `config.permit` stops the start; the routes without one are listed, once for the whole application. */
export function listUnmapped(app: FastifyInstance, guard: Guard, closed: boolean): void {
  const root = rootOf(app);
  const routes = closedRoutes.get(root) ?? new Set();
  closedRoutes.set(root, routes);
  app.addHook('onRoute', (route) => {
    if (!hasSaid(route) && closed) routes.add(`${String(route.method)} ${route.url}`);
  });
  app.addHook('onReady', async () => {
    if (routes.size === 0) return;
    const listed = [...routes];
    routes.clear();
    const text = 'these routes ask for no permission, so agents are refused there';
    app.log.warn({ routes: listed }, `countersign: ${text}`);
    // Without a logger, Fastify's own drops every line, and has no level.
    if (app.log.level === undefined) guard.report(`${text}: ${listed.join(', ')}`);
  });
}
