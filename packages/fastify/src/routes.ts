import { ConfigError, type Guard } from '@countersign/core';
import { admissionOf, closesUnmapped, kept, markedSchema, refuseAgent, reportClosed } from '@countersign/core/adapter';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { noteAnswer, noteError } from './exchange.js';
import { checkPermitKept, enforceRoutePermit, isMapped } from './route-permit.js';

/** Refuses an agent on a route without a permit. Resolves to whether it did; the request has then been answered. */
export async function refuseClosed({ raw, is404, method, routeOptions }: FastifyRequest): Promise<boolean> {
  if (is404 || isMapped(routeOptions) || !closesUnmapped(raw)) return false;
  return await refuseAgent(raw, `${method} ${routeOptions.url ?? ''}`);
}

/** The closed routes of an application that have not been listed yet. */
const closedRoutes = new WeakMap<FastifyInstance, Set<string>>();

/** Lists the routes without a permit, once for the whole application. A wrong `config.permit` stops the start. */
export function listUnmapped(app: FastifyInstance, guard: Guard, closed: boolean): void {
  const routes = closedRoutes.get(rootOf(app)) ?? new Set();
  closedRoutes.set(rootOf(app), routes);
  app.addHook('onRoute', (route) => {
    checkPermitKept(route);
    // @fastify/swagger copies it into the document.
    if (isMapped(route)) route.schema = markedSchema(route.schema, route.config?.permit);
    // Fastify adds a HEAD route to each GET route.
    else if (closed && route.method !== 'HEAD') routes.add(`${String(route.method)} ${route.url}`);
  });
  app.addHook('onReady', async () => reportClosed(guard, routes, app.log));
}

/**
 * Enforces the permits of all routes of an application, also of those that no `agentAuth` reaches, which it closes: if it is
 * registered only in another plugin, its requests are not admitted. A hook of the root reaches all routes, earlier ones too,
 * and the handlers of what is not found.
 */
export function enforcePermits(app: FastifyInstance, guard: Guard): void {
  // After every onRequest, which admits, and before the parsers, which may store an upload.
  const root = rootOf(app).addHook('preParsing', async (request, reply) => {
    const { config, method, url } = request.routeOptions;
    const isOutside = config.permit !== undefined && admissionOf(request.raw) === undefined;
    if (isOutside) guard.report(`${String(method)} ${url} is closed`, "it says 'permit', but no agentAuth reaches it");
    const isConstant = typeof config.permit !== 'object' || typeof config.permit.resource !== 'function';
    if (isOutside || isConstant) await enforceRoutePermit(request, reply);
  });
  root.addHook('onSend', noteAnswer).addHook('onError', noteError);
  // The body has been parsed and validated by then.
  root.addHook('preHandler', enforceRoutePermit);
  // Before all others, which may answer. Fastify adds a hook at the end, and later.
  root.after(() => {
    for (const each of within(root).map((app) => kept(app, 'fastify.hooks') as Record<string, unknown[]>))
      for (const hooks of [each['preParsing'], each['preHandler']]) hooks?.unshift(...hooks.splice(-1));
  });
}

/**
 * All that is ever given to `app.use` runs in one hook of these plugins, wherever and whenever it is given.
 *
 * @throws ConfigError if that hook would run before the guard, in this instance or in one within.
 */
export function refuseMiddlewareBefore(app: FastifyInstance): void {
  for (const each of within(app)) {
    // `@countersign/nestjs` moves the guard before the middleware of Nest by itself.
    const isLate = each.hasPlugin('@fastify/middie') && !(Symbol.for('countersign.guardIsMoved') in each);
    if (isLate || each.hasPlugin('@fastify/express'))
      throw new ConfigError('register agentAuth before @fastify/middie or @fastify/express, which run app.use().');
  }
}

/** An instance with those of all plugins that have been registered on it. */
function within(app: FastifyInstance): readonly FastifyInstance[] {
  return [app, ...(kept(app, 'fastify.children') as readonly FastifyInstance[]).flatMap(within)];
}

/** The instance of a plugin inherits from the instance around it (Fastify's encapsulation). */
function rootOf(app: FastifyInstance): FastifyInstance {
  const around = Object.getPrototypeOf(app) as FastifyInstance | null;
  return around !== null && 'addHook' in around ? rootOf(around) : app;
}
