import type { IncomingMessage } from 'node:http';
import { IncompleteResource, isResource, type Resource, whatIsWrongWith } from '@countersign/policy';
import { type Refusal, refusal, refusalResponse } from '../model/refusal.js';
import { type Admission, admissionOf } from './admission.js';
import { type Progress, progressOf } from './progress.js';
import type { Respond } from './respond.js';

/** What a route guards, if there is such a thing. */
export type MaybeResource = Resource | undefined;

/** What a route asks leave for. `resource` is made from the request by the application. */
export interface PermissionRequest {
  readonly action: string;
  /** Undefined where there is no such resource: the answer is then that of a denial. */
  readonly resource: () => MaybeResource | Promise<MaybeResource>;
  /** The scope that the caller must hold besides policy's consent, like `pr:write:draft`. */
  readonly requires?: string;
  /** In mixed traffic: refuse whoever is not an agent. Default false: they are left to the application. */
  readonly agentsOnly?: boolean;
}

/**
 * Puts a route's action to policy. Resolves to whether the handler may run; if not the request has been answered.
 * `respond` answers where no guard ran before, which is the application's mistake.
 *
 * @throws RefusalError where the application wants refusals thrown.
 */
export async function enforcePermission(
  request: IncomingMessage,
  leave: PermissionRequest,
  respond: Respond,
): Promise<boolean> {
  const admission = admissionFor(request, respond);
  if (admission === undefined) return false;
  const refused = await askPermission(admission, leave);
  if (refused !== undefined) {
    admission.refuse(refused);
    return false;
  }
  const progress = progressOf(request) as Progress;
  if (progress.permits === 'none') progress.permits = 'allowed';
  return true;
}

/** Lets every verified agent in, without a decision: `permit(false)`. Returns whether the handler may run. */
export function exempt(request: IncomingMessage, respond: Respond): boolean {
  if (admissionFor(request, respond) === undefined) return false;
  (progressOf(request) as Progress).exempt = true;
  return true;
}

function admissionFor(request: IncomingMessage, respond: Respond): Admission | undefined {
  const admission = admissionOf(request);
  if (admission === undefined) respond(refusalResponse(refusal('not_authenticated'), ''));
  return admission;
}

/** Resolves to why not; undefined where the handler may run. */
export async function askPermission(admission: Admission, leave: PermissionRequest): Promise<Refusal | undefined> {
  const { guard, caller } = admission;
  const { action, requires, agentsOnly = false } = leave;
  if (caller === undefined) return agentsOnly ? await admission.refuseStranger() : undefined;
  let resource: MaybeResource;
  try {
    resource = await leave.resource();
  } catch (error) {
    return await guard.unresolved(caller, action, error);
  }
  if (resource === undefined) return await guard.absent(caller, action);
  if (!isResource(resource)) {
    return await guard.unresolved(caller, action, new IncompleteResource(whatIsWrongWith(resource)));
  }
  // Copied, so that what is recorded is what was decided, whatever the application does with its object meanwhile.
  const answer = await guard.authorize(caller, {
    action,
    resource: { ...resource },
    ...(requires === undefined ? {} : { requires }),
  });
  return answer.ok ? undefined : answer.refusal;
}
