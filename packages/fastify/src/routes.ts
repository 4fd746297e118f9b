import { ConfigError, type Guard } from '@countersign/core';
import { admitEveryAgent, closesUnmapped, markedSchema, refuseAgent, refuseUnguarded } from '@countersign/core/adapter';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { neverSettling, noteAnswer, noteError, respondThrough } from './exchange.js';
import { checkPermitKept, isConstant, isMapped, type PermitRequest, permitOf } from './route-permit.js';

/** Refuses an agent on a route that is closed to it. Resolves to whether it did; the request has then been answered. */
export async function refuseClosed({ raw, is404, method, routeOptions }: FastifyRequest): Promise<boolean> {
  const closes = permitOf(routeOptions) === 'refuse' || (!isMapped(routeOptions) && closesUnmapped(raw));
  return closes && !is404 && (await refuseAgent(raw, `${method} ${routeOptions.url ?? ''}`));
}

/** Requests that have the permission of their route. */
const permitted = new WeakSet<FastifyRequest>();

/** Enforces the `config.permit` of the route, unless that has been done. Never settles if it has answered. */
export async function enforceRoutePermit(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  // A request that was refused since then, which the application may have caught, goes no further.
  const check = permitted.has(request) ? admitEveryAgent : permitOf(request.routeOptions);
  // `refuse` has been handled in `onRequest`; it applies to agents alone.
  if (check === undefined || check === 'refuse') return;
  if (!(await check(request.raw, request as PermitRequest, respondThrough(reply)))) await neverSettling();
  permitted.add(request);
}

/** The same if the resource is constant. What a function makes of a request may change until its handler runs. */
export async function enforceConstantPermit(request: FastifyRequest, reply: FastifyReply): Promise<void> {
  if (isConstant(request.routeOptions)) await enforceRoutePermit(request, reply);
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
  app.addHook('onReady', async () => {
    if (routes.size === 0) return;
    const text = `these routes ask for no permission: agents ${guard.mode === 'observe' ? 'would be' : 'are'} refused there`;
    app.log.warn({ routes: [...routes] }, `countersign: ${text}`);
    // Without a configured logger, Fastify's own has no level and drops every line.
    if (app.log.level === undefined) guard.report(`${text}: ${[...routes].join(', ')}`);
    routes.clear();
  });
}

/**
 * Closes routes with `config.permit` that no `agentAuth` reaches: if it is registered only in another plugin, none of its
 * hooks runs there, and the route would be open. A hook of the root reaches all routes, earlier ones too.
 */
export function refuseOutside(app: FastifyInstance, guard: Guard): void {
  // After every onRequest, which admits, and before the body is read.
  const root = rootOf(app).addHook('preParsing', (request, reply, _payload, done) => {
    const { config, method, url } = request.routeOptions;
    if (config?.permit === undefined || !refuseUnguarded(request.raw, respondThrough(reply))) return done();
    guard.report(`${String(method)} ${url} is closed`, "it says 'permit', but no agentAuth reaches it");
  });
  // What it answers, too, goes out if a hook of the application fails.
  root.addHook('onSend', noteAnswer).addHook('onError', noteError);
}

/**
 * All that is ever given to `app.use` runs in one hook of these plugins, wherever and whenever it is given.
 *
 * @throws ConfigError if that hook would run before the guard, in this instance or in one within.
 */
export function refuseMiddlewareBefore(app: FastifyInstance): void {
  // `@countersign/nestjs` moves the guard before the middleware of Nest by itself.
  const isLate = app.hasPlugin('@fastify/middie') && !(Symbol.for('countersign.guardIsMoved') in app);
  if (isLate || app.hasPlugin('@fastify/express'))
    throw new ConfigError('register agentAuth before @fastify/middie or @fastify/express, which run app.use().');
  const children = Object.getOwnPropertySymbols(app).find(({ description }) => description === 'fastify.children');
  if (children !== undefined) for (const each of Reflect.get(app, children)) refuseMiddlewareBefore(each);
}

/** The instance of a plugin inherits from the instance around it (Fastify's encapsulation). */
function rootOf(app: FastifyInstance): FastifyInstance {
  const around = Object.getPrototypeOf(app) as FastifyInstance | null;
  return around !== null && 'addHook' in around ? rootOf(around) : app;
}
