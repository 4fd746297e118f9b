import type { PermissionRequest } from './permitted.js';
import type { PermitOptions } from './check-arguments.js';
import { type NamedResource, type RouteResource, wholeResource } from './route-resource.js';

/**
 * What a route guards: constant, or made from the request as the host shows it. Build it from route parameters first, and
 * hand them over as they are: `String(…)` of a misspelt one is the text `undefined`. Undefined: there is no such thing.
 */
export type ResourceOf<Request> =
  | NamedResource
  | ((request: Request) => RouteResource | undefined | Promise<RouteResource | undefined>);

/** What one request of a route asks leave for. */
export function permissionRequest<Request>(
  action: string,
  resource: ResourceOf<Request>,
  options: PermitOptions,
  request: Request,
): PermissionRequest {
  return {
    action,
    resource: async () => wholeResource(typeof resource === 'function' ? await resource(request) : resource),
    ...options,
  };
}
