import type { IncomingMessage } from 'node:http';
import { ConfigError } from '@countersign/common';
import { checkPermission, type PermitOptions } from './check-arguments.js';
import { permissionRequest, type ResourceOf } from './permission-request.js';
import { exempt, enforcePermission } from './permitted.js';
import type { Respond } from './respond.js';

/**
 * Enforces what a route asks for. `node` is the request as Node has it, `request` as the host shows it. Resolves to
 * whether the handler may run; if not the request has been answered.
 */
export type Enforce<Request> = (node: IncomingMessage, request: Request, respond: Respond) => Promise<boolean>;

/**
 * Reads the arguments of a host's `permit`. With `false` for the action every verified agent is let in.
 *
 * @throws ConfigError that says what to do.
 */
export function permission<Request>(
  name: string,
  action: string | false,
  resource: ResourceOf<Request> | undefined,
  options: PermitOptions = {},
): Enforce<Request> {
  if (action === false) {
    if (resource !== undefined) throw new ConfigError(`${name}(false) lets every verified agent in: name no resource.`);
    return async (node, _request, respond) => exempt(node, respond);
  }
  checkPermission(name, action, resource, options);
  const guarded = resource as ResourceOf<Request>;
  return async (node, request, respond) =>
    await enforcePermission(node, permissionRequest(action, guarded, options, request), respond);
}
