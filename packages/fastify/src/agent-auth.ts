import {
  type AdmissionOptions,
  admissionOf,
  admit,
  checkAdmissionOptions,
  ConfigError,
  type Guard,
  isGuardedMethod,
  leaveFor,
  permitted,
} from '@countersign/core';
import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest, RouteOptions } from 'fastify';
import fastifyPlugin from 'fastify-plugin';
import { getCaller, rememberReply, sendThrough } from './exchange.js';
import { refuseOutside } from './outside.js';
import { checkRoutePermit, type PermitRequest, type RoutePermit } from './route-permit.js';

export interface AgentAuthOptions extends AdmissionOptions {
  readonly guard: Guard;
  /**
   * What becomes of an agent on a route that asks for no permission. `refuse` (default): 403 `route_unmapped`, and such
   * routes are listed at the start. `authenticated`: it is let in. With `everyRequest` every route asks for one.
   */
  readonly unmapped?: 'refuse' | 'authenticated';
}

const plugin: FastifyPluginAsync<AgentAuthOptions> = async (app, options) => {
  const { guard, unmapped = 'refuse', ...admission } = options;
  checkAdmissionOptions(guard, options, ['guard', 'unmapped']);
  if (unmapped !== 'refuse' && unmapped !== 'authenticated') {
    throw new ConfigError("agentAuth: 'unmapped' must be 'refuse' or 'authenticated'.");
  }
  const closed = unmapped === 'refuse' && admission.everyRequest !== true;

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
    const admitted = await admit(guard, exchange, admission, sendThrough(reply));
    if (!admitted || (closed && (await refuseUnmapped(request)))) return reply;
    return undefined;
  });

  // Hooks of children and of routes run after this one, and the body has been parsed and validated by now.
  app.addHook('preHandler', (request, reply, done) => {
    askLeave(request, reply).then((allowed) => {
      if (allowed) done();
    }, done);
  });

  app.addHook('onError', async (request, _reply, error) => admissionOf(request.raw)?.outcome?.threw(error));
  checkRoutes(app, guard, closed);
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

/** Whether an agent came to a route that asks for no permission; it has been answered then. */
async function refuseUnmapped(request: FastifyRequest): Promise<boolean> {
  const admission = admissionOf(request.raw);
  if (admission?.caller === undefined || request.is404 || isMapped(request.routeOptions)) return false;
  const route = `${request.method} ${request.routeOptions.url ?? ''}`;
  admission.refuse(await admission.guard.unmapped(admission.caller, route));
  return true;
}

/** Asks what the route's `config.permit` says. */
async function askLeave(request: FastifyRequest, reply: FastifyReply): Promise<boolean> {
  const permit = permitOf(request.routeOptions);
  if (!permit) return true;
  const { action, resource, ...options } = permit;
  return await permitted(
    request.raw,
    leaveFor(action, resource, options, request as PermitRequest),
    sendThrough(reply),
  );
}

type Route = Pick<FastifyRequest['routeOptions'], 'config' | 'handler'> | RouteOptions;

/** Has its say in `config.permit`, or its handler asks by itself. */
function isMapped(route: Route): boolean {
  return permitOf(route) !== undefined || isGuardedMethod(route.handler);
}

/** Checked for each request too: routes that were declared before the plugin was loaded are not seen at their declaration. */
function permitOf({ config }: Route): RoutePermit | false | undefined {
  const permit = config?.permit;
  if (permit !== undefined && permit !== false) checkRoutePermit(permit);
  return permit;
}

/** A wrong `config.permit` stops the start; a missing one is said. */
function checkRoutes(app: FastifyInstance, guard: Guard, closed: boolean): void {
  const unmapped: string[] = [];
  app.addHook('onRoute', (route) => {
    if (!isMapped(route)) unmapped.push(`${String(route.method)} ${route.url}`);
  });
  app.addHook('onReady', async () => {
    if (!closed || unmapped.length === 0) return;
    const closedRoutes = 'these routes ask for no permission, so agents are refused there';
    app.log.warn({ routes: unmapped }, `countersign: ${closedRoutes}`);
    // Without a logger, Fastify's own drops every line, and has no level.
    if (app.log.level === undefined) guard.report(`${closedRoutes}: ${unmapped.join(', ')}`);
  });
}
