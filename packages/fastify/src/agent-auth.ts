import { type AdmissionOptions, admissionOf, admissionOptionNames, admit } from '@countersign/core/adapter';
import { type Guard } from '@countersign/core';
import { checkAdmissionOptions, checkedGuard } from '@countersign/core/adapter';
import type { FastifyPluginAsync, FastifyRequest } from 'fastify';
import fastifyPlugin from 'fastify-plugin';
import { getCaller, rememberReply, sendThrough } from './exchange.js';
import { refuseOutside } from './outside.js';
import { askPermission, listUnmapped, refuseClosed } from './routes.js';

export interface AgentAuthOptions extends AdmissionOptions {
  /** A promise of a guard will do: the application is ready once it is there. */
  readonly guard: Guard | Promise<Guard>;
}

const plugin: FastifyPluginAsync<AgentAuthOptions> = async (app, options) => {
  const { guard: given, ...admission } = options;
  checkAdmissionOptions(options, ['guard', ...admissionOptionNames]);
  const guard = checkedGuard(await given);
  const { unmapped = 'refuse', everyRequest = false } = admission;

  // A getter, not a value: nothing can assign to it, and requests share nothing.
  app.decorateRequest('caller', {
    getter(): FastifyRequest['caller'] {
      return getCaller(this) ?? null;
    },
  });

  // Before preParsing, so that whatever parses the body, also from the raw stream, sees verified bytes only.
  app.addHook('onRequest', async (request, reply) => {
    rememberReply(reply);
    const exchange = { request: request.raw, response: reply.raw, target: request.originalUrl };
    const admitted = await admit(() => guard, exchange, admission, sendThrough(reply));
    if (!admitted || (await refuseClosed(request))) return reply;
    return undefined;
  });

  // Hooks of children and of routes run after this one, and the body has been parsed and validated by now.
  app.addHook('preHandler', (request, reply, done) => {
    askPermission(request, reply).then((allowed) => {
      if (allowed) done();
    }, done);
  });

  app.addHook('onError', async (request, _reply, error) => admissionOf(request.raw)?.outcome?.threw(error));
  listUnmapped(app, guard, unmapped === 'refuse' && !everyRequest);
  refuseOutside(app, guard);
};

/**
 * The Fastify plugin: lets a request through only once it has verified whole, and puts the permission of its route to
 * policy. Register it first, and await it: it guards the instance it is registered on and everything within.
 *
 * @throws ConfigError (when it is registered) if the guard or an option is wrong.
 * @example
 * ```ts
 * await app.register(agentAuth, { guard });
 * app.post('/repos/:repo/pulls', permit('pr.create', ({ params }) => ({ type: 'Repo', id: params.repo })), handler);
 * ```
 */
export const agentAuth: FastifyPluginAsync<AgentAuthOptions> = fastifyPlugin(plugin, {
  fastify: '5.x',
  name: '@countersign/fastify',
});
