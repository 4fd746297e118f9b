import {
  type AdmissionOptions,
  admissionOf,
  admit,
  type Caller,
  checkAdmissionOptions,
  type Guard,
} from '@countersign/core';
import type { IncomingMessage } from 'node:http';
import type { Step } from './step.js';

export type AgentAuthOptions = AdmissionOptions;

/**
 * Lets a request through only once it has verified whole: signature, body, freshness, token, chain. Call it before the
 * body is read. With `next`, the audit log also learns that a handler threw.
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
export function agentAuth(guard: Guard, options: AgentAuthOptions = {}): Step {
  checkAdmissionOptions(guard, options);
  return async function agentAuth(request, response, next) {
    if (!(await admit(guard, { request, response, target: targetOf(request) }, options))) return false;
    try {
      await next?.();
    } catch (error) {
      admissionOf(request)?.outcome?.threw(error);
      throw error;
    }
    return true;
  };
}

/** Who calls; undefined when no guard let this request in. */
export function getCaller(request: IncomingMessage): Caller | undefined {
  return admissionOf(request)?.caller;
}

/** The target of the request line: connect and its kin cut `url` under a prefix and keep the whole. */
function targetOf(request: IncomingMessage & { readonly originalUrl?: string }): string {
  return request.originalUrl ?? request.url ?? '';
}
