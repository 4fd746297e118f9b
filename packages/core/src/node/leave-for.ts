import type { Resource } from '../policy/engine.js';
import type { LeaveRequest, MaybeResource } from './admission.js';
import type { PermitOptions } from './check-arguments.js';

/** What a route guards: constant, or made from the request as the host shows it. Build it from route parameters first. */
export type ResourceOf<Request> = Resource | ((request: Request) => MaybeResource | Promise<MaybeResource>);

/** What one request of a route asks leave for. */
export function leaveFor<Request>(
  action: string,
  resource: ResourceOf<Request>,
  options: PermitOptions,
  request: Request,
): LeaveRequest {
  return { action, resource: () => (typeof resource === 'function' ? resource(request) : resource), ...options };
}
