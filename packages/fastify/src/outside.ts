import { type Guard, refusal, refusalResponse } from '@countersign/core';
import { admissionOf } from '@countersign/core/adapter';
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyReply } from 'fastify';
import { type ServedRequest, sendThrough } from './exchange.js';

/**
 * Closes routes that say `config.permit` where no `agentAuth` reaches them: registered in another plugin only, none of its
 * hooks runs there, and the route would be open. The hook of the root reaches all routes, earlier ones too. The guard
 * is told of each such route once.
 */
export function refuseOutside(app: FastifyInstance, guard: Guard): void {
  const told = new Set<string>();
  // After every onRequest, so that whoever is let in has been; and before the body is read.
  rootOf(app).addHook('preParsing', (request, reply, _payload, done) => {
    const { config, method, url } = request.routeOptions;
    if (config?.permit === undefined || !refuseUnguarded(request, reply)) return done();
    const route = `${String(method)} ${url}`;
    if (!told.has(route)) guard.report(`${route} is closed: it says 'permit', but no agentAuth reaches it`);
    told.add(route);
  });
}

/** Whether no guard let this request in; it has been answered then. */
export function refuseUnguarded({ raw }: ServedRequest, reply: FastifyReply): boolean {
  if (admissionOf(raw as IncomingMessage) !== undefined) return false;
  sendThrough(reply)(refusalResponse(refusal('not_authenticated'), ''));
  return true;
}

/** Instances within plugins inherit from those around them (Fastify's encapsulation). */
export function rootOf(app: FastifyInstance): FastifyInstance {
  const around = Object.getPrototypeOf(app) as FastifyInstance | null;
  return around !== null && 'addHook' in around ? rootOf(around) : app;
}
