import { errorMessage, kindOf, withTimeout } from '@countersign/common';
import { IncompleteResource, readResource, resourceProblem } from '@countersign/policy';
import type { Permission } from '../../model/permission.js';
import { refusal } from '../../model/refusal.js';
import type { Resolved } from './entity-provider.js';

export interface ResourceParts {
  readonly lookupTimeoutSeconds: number;
}

const timedOut = Symbol('timed out');

/**
 * The resource that a route names, copied so that what is recorded is what was decided; or why there is none. The
 * function of the application gets `lookupTimeoutSeconds`, so that no request waits for it for ever. Never rejects.
 */
export async function resolveResource(
  { action, resource }: Permission,
  { lookupTimeoutSeconds }: ResourceParts,
): Promise<Resolved> {
  try {
    const found =
      typeof resource === 'function'
        ? await withTimeout(lookupTimeoutSeconds * 1000, Promise.resolve(resource()), () => timedOut)
        : resource;
    if (found === timedOut) {
      return { refused: refusal('policy_unavailable', `the resource was not determined in ${lookupTimeoutSeconds} s`) };
    }
    // To a client, absent and forbidden look alike.
    if (found === undefined) return { refused: refusal('policy_denied', 'there is no such resource') };
    const read = readResource(found);
    if (read === undefined) throw new IncompleteResource(resourceProblem(found));
    return { resource: read };
  } catch (error) {
    // A foreign error may quote the request, so its text stays out of the audit log.
    const detail = error instanceof IncompleteResource ? error.message : kindOf(error);
    const reported = `the resource of ${action} could not be determined: ${errorMessage(error)}`;
    return { refused: { ...refusal('resource_unresolved', detail), reported } };
  }
}
