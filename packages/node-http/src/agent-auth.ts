import type { Guard } from '@countersign/core';
import { type AdmissionOptions, admissionOptionNames, admitter, runHandlers } from '@countersign/core/adapter';
import type { IncomingMessage } from 'node:http';
import { type Step, whileHeld } from './step.js';

/** Without `unmapped`: without a router, the route of a request is unknown. */
export type AgentAuthOptions = Omit<AdmissionOptions, 'unmapped'>;

const optionNames: readonly string[] = admissionOptionNames.filter((name) => name !== 'unmapped');

/**
 * Admits a request only after it has verified completely: signature, body, freshness, token, chain. Call it before the
 * body is read. With `next`, the outcome record says if a handler threw. A handler without a `permit` runs nevertheless:
 * its outcome is recorded as `undecided`. `guard` may be a promise: requests wait for it.
 *
 * @throws ConfigError when the guard or an option is wrong.
 * @example
 * ```ts
 * const auth = agentAuth(guard);
 * createServer(async (request, response) => {
 *   if (!(await auth(request, response))) return; // answered already
 *   response.end(`hello ${getCaller(request)?.actor.id}`);
 * });
 * ```
 */
export function agentAuth(guard: Guard | Promise<Guard>, options: AgentAuthOptions = {}): Step {
  const admit = admitter(guard, options, optionNames);
  return async function agentAuth(request, response, next) {
    const exchange = { request, response, target: targetOf(request), guard: () => guard };
    if (!(await whileHeld('agentAuth', exchange, (respond) => admit(exchange, respond)))) return false;
    await runHandlers(request, () => next?.());
    return true;
  };
}

/** The target of the request line: connect and similar routers cut `url` under a prefix, and keep `originalUrl`. */
function targetOf(request: IncomingMessage & { readonly originalUrl?: string }): string {
  return request.originalUrl ?? request.url ?? '';
}
