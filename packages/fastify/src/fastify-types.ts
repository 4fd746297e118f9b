import type { Caller } from '@countersign/core';
import type { RoutePermit } from './route-permit.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Who calls; null until `agentAuth` has let the request in, and for whoever is not an agent. */
    readonly caller: Caller | null;
  }
  interface FastifyContextConfig {
    /** What the route asks leave for. `false`: an agent that has verified is let in without a decision. */
    readonly permit?: RoutePermit | false;
  }
}
