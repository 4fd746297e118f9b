import type { IncomingMessage } from 'node:http';
import { andThen, type Awaitable, awaitable, ConfigError, isPromise } from '@countersign/common';
import type { Authorization, ResourceFunction } from '../model/permission.js';
import { type Refusal, refusal } from '../model/refusal.js';
import { refusalResponse } from '../model/refusal-response.js';
import { pathOf } from '../model/request.js';
import { type Admission, admissionOf, type Progress, progressOf } from './admission.js';
import { clientIsGone } from './incoming-request.js';
import { checkPermission, type PermitOptions } from './options.js';
import { type NamedResource, type RouteResource, wholeResource } from './resource.js';
import type { Respond } from './send-refusal.js';

/**
 * The resource of a route: constant, or made from the request as the host shows it. Build it from route parameters first,
 * and pass them unchanged: `String(…)` of a misspelt one is the text `undefined`. Undefined: there is no such resource. A
 * function is called again once people have approved, so it must not use up the request, as one that reads its stream does.
 */
export type ResourceOf<Request> =
  | NamedResource
  | ((request: Request) => RouteResource | undefined | Promise<RouteResource | undefined>);

/** The permission that one request needs. */
export interface PermissionRequest extends PermitOptions {
  readonly action: string;
  readonly resource: ResourceFunction;
}

/**
 * Enforces the permission of a route. `node` is the request as Node shows it, `request` as the host shows it. Resolves to
 * whether the handler may run; if not, the request has been answered by `respond`.
 *
 * @throws RefusalError if the application wants refusals thrown.
 */
export type PermissionCheck<Request> = (node: IncomingMessage, request: Request, respond: Respond) => Promise<boolean>;

/**
 * Reads the arguments of a host's `permit`. With `false` as the action every verified agent is admitted.
 *
 * @throws ConfigError that says what to do.
 */
export function permitCheck<Request>(
  action: string | false,
  resource: ResourceOf<Request> | undefined,
  options?: PermitOptions,
): PermissionCheck<Request> {
  if (action !== false) return permissionCheck('permit', action, resource, options);
  if (resource === undefined && options === undefined) return admitEveryAgent;
  throw new ConfigError('permit(false) lets every verified agent in: name no resource and no options.');
}

/**
 * Reads an action with its resource. `name` is what the application wrote, for errors.
 *
 * @throws ConfigError that says what to do.
 */
export function permissionCheck<Request>(
  name: string,
  action: string,
  resource: ResourceOf<Request> | undefined,
  options: PermitOptions = {},
): PermissionCheck<Request> {
  checkPermission(name, action, resource, options);
  const declared = resource as ResourceOf<Request>;
  return (node, request, respond) =>
    enforcePermission(node, permissionRequest(action, declared, options, node, request), respond);
}

function permissionRequest<Request>(
  action: string,
  resource: ResourceOf<Request>,
  options: PermitOptions,
  node: IncomingMessage,
  request: Request,
): PermissionRequest {
  return {
    action,
    resource: () =>
      andThen(awaitable(typeof resource === 'function' ? resource(request) : resource), (made) =>
        wholeResource(made, progressOf(node)?.target),
      ),
    ...options,
  };
}

/**
 * The one decision of `everyRequest`: action `http.post` on `Path::"/repos/acme/api"`, with the path as it was signed:
 * undecoded, without the query.
 */
export function coarsePermission({ method = '' }: IncomingMessage, target: string): PermissionRequest {
  return { action: `http.${method.toLowerCase()}`, resource: () => ({ type: 'Path', id: pathOf(target) }) };
}

/** Admits every verified agent without a decision: `permit(false)`. */
export async function admitEveryAgent(node: IncomingMessage, _request: unknown, respond: Respond): Promise<boolean> {
  if (refuseUnguarded(node, respond)) return false;
  const admission = admissionOf(node) as Admission;
  const progress = progressOf(node) as Progress;
  // Also if its client has gone: then no decision is recorded, and the outcome says that none was needed.
  progress.exempt ||= progress.refused === undefined;
  const refused = progress.refused ?? (admission.caller && clientIsGone(node) ? refusal('body_incomplete') : undefined);
  if (refused !== undefined) admission.refuse(refused, respond);
  return refused === undefined;
}

/** Evaluates the permission of one request, and answers if it is refused; see `PermissionCheck`. */
export async function enforcePermission(
  node: IncomingMessage,
  permission: PermissionRequest,
  respond: Respond,
): Promise<boolean> {
  if (refuseUnguarded(node, respond)) return false;
  const admission = admissionOf(node) as Admission;
  const progress = progressOf(node) as Progress;
  let refused = progress.refused ?? askPermission(admission, progress, permission);
  if (isPromise(refused)) refused = await refused;
  if (refused !== undefined) {
    admission.refuse(refused, respond);
    return false;
  }
  progress.allowed = true;
  return true;
}

/** Refuses a request that no guard admitted. Returns whether it did. */
export function refuseUnguarded(node: IncomingMessage, respond: Respond): boolean {
  if (admissionOf(node) !== undefined) return false;
  respond(refusalResponse(refusal('not_authenticated'), ''));
  return true;
}

/** The refusal; undefined if the handler may run. */
export function askPermission(
  admission: Admission,
  progress: Progress,
  permission: PermissionRequest,
): Awaitable<Refusal | undefined> {
  const { guard, caller } = admission;
  const { action, requires, agentsOnly = false } = permission;
  if (caller === undefined) return agentsOnly ? admission.refuseUnmarked() : undefined;
  const { resource } = permission;
  const asked = requires === undefined ? { action, resource } : { action, resource, requires };
  return guard.authorize(caller, asked).then((answer) => refusalOf(answer, progress));
}

function refusalOf(answer: Authorization, progress: Progress): Refusal | undefined {
  if (!answer.ok) return answer.refusal;
  if (answer.wouldRefuse !== undefined) progress.wouldRefuse = true;
  return undefined;
}
