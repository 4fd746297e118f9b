import type { Guard } from '@countersign/core';
import { type AdmissionOptions, admitter, neverSettling } from '@countersign/core/adapter';
import type { FastifyPluginAsync, FastifyRequest } from 'fastify';
import fastifyPlugin from 'fastify-plugin';
import { getCaller, respondThrough } from './exchange.js';
import { enforcePermits, listUnmapped, refuseClosed, refuseMiddlewareBefore } from './routes.js';

export interface AgentAuthOptions extends AdmissionOptions {
  /** May be a promise: the application becomes ready when the guard does. */
  readonly guard: Guard | Promise<Guard>;
}

const plugin: FastifyPluginAsync<AgentAuthOptions> = async (app, { guard: given, ...options }) => {
  refuseMiddlewareBefore(app);
  const guard = await given;
  const admit = admitter(guard, options);

  // A getter, because nothing can assign to it. As on routes without this plugin, undefined is no caller.
  app.decorateRequest('caller', {
    getter(): FastifyRequest['caller'] {
      return getCaller(this);
    },
  });

  // Before preParsing, so that every parser of the body, even of the raw stream, reads verified bytes only.
  app.addHook('onRequest', async (request, reply) => {
    const { raw, originalUrl: target, log: logger } = request;
    const exchange = { request: raw, response: reply.raw, fields: reply, target, logger };
    // Once its client has gone, Fastify takes a returned reply for the end of the hook, whatever an onSend hook still does.
    if (!(await admit(exchange, respondThrough(reply))) || (await refuseClosed(request))) await neverSettling();
  });

  listUnmapped(app, guard, options.unmapped !== 'authenticated' && options.everyRequest !== true);
  enforcePermits(app, guard);
};

const metadata = { fastify: '5.x', name: '@countersign/fastify' };

/**
 * The Fastify plugin: admits a request only after it has verified completely, and asks policy for the permission of its
 * route: before the body is parsed if its resource is constant, else after its validation. Register it before
 * everything that reads a body, and await it, so that the start checks the routes after it: it guards the instance that it
 * is registered on and everything within.
 *
 * @throws ConfigError (when it is registered) if the guard or an option is wrong.
 * @example
 * ```ts
 * await app.register(agentAuth, { guard });
 * app.post('/repos/:repo/pulls', permit('pr.create', ({ params }) => ({ type: 'Repo', id: params.repo })), handler);
 * ```
 */
export const agentAuth: FastifyPluginAsync<AgentAuthOptions> = fastifyPlugin(plugin, metadata);
