import type { Guard } from '@countersign/core';
import { refuseUnguarded } from '@countersign/core/adapter';
import type { FastifyInstance } from 'fastify';
import { respondThrough } from './exchange.js';

/**
 * Closes routes with `config.permit` that no `agentAuth` reaches: if it is registered only in another plugin, none of its
 * hooks runs there, and the route would be open. A hook of the root reaches all routes, earlier ones too. Each such route
 * is reported once.
 */
export function refuseOutside(app: FastifyInstance, guard: Guard): void {
  const reported = new Set<string>();
  // After every onRequest, which admits, and before the body is read.
  rootOf(app).addHook('preParsing', (request, reply, _payload, done) => {
    const { config, method, url } = request.routeOptions;
    if (config?.permit === undefined || !refuseUnguarded(request.raw, respondThrough(reply))) return done();
    const route = `${String(method)} ${url}`;
    if (!reported.has(route)) guard.report(`${route} is closed: it says 'permit', but no agentAuth reaches it`);
    reported.add(route);
  });
}

/** The instance of a plugin inherits from the instance around it (Fastify's encapsulation). */
export function rootOf(app: FastifyInstance): FastifyInstance {
  const around = Object.getPrototypeOf(app) as FastifyInstance | null;
  return around !== null && 'addHook' in around ? rootOf(around) : app;
}
