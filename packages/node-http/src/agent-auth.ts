import { type Caller, type Guard, type Subject } from '@countersign/core';
import {
  actingUserOf,
  type AdmissionOptions,
  admissionOf,
  admissionOptionNames,
  admit,
  checkAdmissionOptions,
  guardInTime,
} from '@countersign/core/adapter';
import type { IncomingMessage } from 'node:http';
import type { Step } from './step.js';

/** Without `unmapped`: here is no router that could say which route a request came to. */
export type AgentAuthOptions = Omit<AdmissionOptions, 'unmapped'>;

const optionNames: readonly string[] = admissionOptionNames.filter((name) => name !== 'unmapped');

/**
 * Lets a request through only once it has verified whole: signature, body, freshness, token, chain. Call it before the
 * body is read. With `next`, the audit log also learns that a handler threw. A handler that asks for no `permit` runs all
 * the same: its outcome is recorded as `undecided`. A promise of a guard will do: requests wait for it.
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
  checkAdmissionOptions(options, optionNames);
  const guardOf = guardInTime(guard);
  return async function agentAuth(request, response, next) {
    if (!(await admit(guardOf, { request, response, target: targetOf(request) }, options))) return false;
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

/**
 * The user on whose behalf the agent acts: only once a `permit` of this request has allowed it, and only where there is
 * one. Undefined for people, and for an agent that acts for itself.
 */
export function actingUser(request: IncomingMessage): Subject | undefined {
  return actingUserOf(request);
}

/** The target of the request line: connect and its kin cut `url` under a prefix and keep the whole. */
function targetOf(request: IncomingMessage & { readonly originalUrl?: string }): string {
  return request.originalUrl ?? request.url ?? '';
}
