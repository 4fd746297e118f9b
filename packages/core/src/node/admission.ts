import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Caller } from '../caller.js';
import type { Guard } from '../guard.js';
import type { Resource } from '../policy/engine.js';
import { type Refusal, refusal } from '../refusal.js';
import { incomingRequest } from './incoming-request.js';
import { type OutcomeWatch, watchOutcome } from './watch-outcome.js';

/** What a host remembers of a request that its guard let in. */
export interface Admission {
  readonly guard: Guard;
  readonly caller: Caller;
  readonly outcome: OutcomeWatch;
}

// Kept beside the request, not on it: nothing that an earlier middleware or a request body puts on the object counts.
const admissions = new WeakMap<IncomingMessage, Admission>();

/**
 * Verifies a request of a host that is built on `node:http`, remembers its caller, and sees to it that its outcome is
 * recorded. Call it before anything awaits: from then on no byte of the body reaches another reader unverified.
 * Resolves to the refusal, or to undefined when the request is let in.
 */
export async function admit(
  guard: Guard,
  {
    request,
    response,
    target,
  }: { readonly request: IncomingMessage; readonly response: ServerResponse; readonly target: string },
): Promise<Refusal | undefined> {
  const authentication = await guard.authenticate(incomingRequest(request, target));
  if (!authentication.ok) return authentication.refusal;
  const { caller } = authentication;
  const outcome = watchOutcome(response, (ended) => void guard.complete(caller, ended));
  admissions.set(request, Object.freeze({ guard, caller, outcome }));
  return undefined;
}

/** What `admit` remembered; undefined when no guard let this request in. */
export function admissionOf(request: IncomingMessage): Admission | undefined {
  return admissions.get(request);
}

/** What a route asks leave for. `resource` is made from the request by the application. */
export interface LeaveRequest {
  readonly action: string;
  readonly resource: () => Resource | Promise<Resource>;
  readonly requires?: string;
}

/** Puts a route's action to policy. Resolves to the refusal, or to undefined when the handler may run. */
export async function askLeave(
  request: IncomingMessage,
  { action, resource, requires }: LeaveRequest,
): Promise<Refusal | undefined> {
  const admission = admissionOf(request);
  if (admission === undefined) return refusal('not_authenticated', 'agentAuth did not run before permit');
  const { guard, caller } = admission;
  let resolved: Resource;
  try {
    resolved = await resource();
  } catch (error) {
    return guard.unresolved(caller, action, error);
  }
  if (!isResource(resolved)) return guard.unresolved(caller, action, 'the resource has no type and id');
  const answer = await guard.authorize(caller, {
    action,
    resource: resolved,
    ...(requires === undefined ? {} : { requires }),
  });
  return answer.ok ? undefined : answer.refusal;
}

function isResource(value: unknown): value is Resource {
  if (typeof value !== 'object' || value === null) return false;
  const { type, id } = value as Partial<Resource>;
  return typeof type === 'string' && type !== '' && typeof id === 'string' && id !== '';
}
