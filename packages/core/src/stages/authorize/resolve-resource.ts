import { maxStringUnits } from '@countersign/audit';
import {
  andThen,
  answerInTime,
  answerOr,
  type Awaitable,
  containRejections,
  errorMessage,
  isA,
  kindOf,
} from '@countersign/common';
import { IncompleteResource, readResource, type Resource, resourceProblem } from '@countersign/policy';
import { type MaybeResource, NoSuchResource, type Permission } from '../../model/permission.js';
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
export function resolveResource(
  { action, resource }: Permission,
  { lookupTimeoutSeconds }: ResourceParts,
): Awaitable<Resolved> {
  const read = (found: MaybeResource | typeof timedOut): Resolved => {
    if (found !== timedOut) return resolvedAs(found);
    return { refused: refusal('policy_unavailable', `the resource was not determined in ${lookupTimeoutSeconds} s`) };
  };
  return answerOr(
    () =>
      typeof resource === 'function'
        ? andThen(
            answerInTime<MaybeResource, typeof timedOut>(lookupTimeoutSeconds, resource, () => timedOut),
            read,
          )
        : resolvedAs(resource),
    (error) => {
      // To a client, absent and forbidden look alike.
      if (isA(error, NoSuchResource)) return { refused: refusal('policy_denied', error.message) };
      if (isNoBigInt(error)) return { refused: refusal('policy_denied', 'its id is the text of no integer') };
      // A foreign error may quote the request, so its text stays out of the audit log.
      const detail = isA(error, IncompleteResource) ? error.message : kindOf(error);
      const reported = `the resource of ${action} could not be determined: ${errorMessage(error)}`;
      return { refused: { ...refusal('resource_unresolved', detail), reported } };
    },
  );
}

/** @throws IncompleteResource */
function resolvedAs(found: MaybeResource): Resolved {
  // To a client, absent and forbidden look alike.
  if (found === undefined) return { refused: refusal('policy_denied', 'there is no such resource') };
  const read = readResource(found);
  if (read === undefined) {
    containRejections(found);
    throw new IncompleteResource(resourceProblem(found));
  }
  if (!fitsRecord(read)) {
    return {
      refused: refusal('policy_denied', `its id has more than the ${maxStringUnits} characters that a record keeps`),
    };
  }
  return { resource: read };
}

/** Whether `BigInt()` has thrown it for a text that is no integer. Of anything else than text it throws other errors. */
function isNoBigInt(error: unknown): boolean {
  return isA(error, SyntaxError) && error.message.endsWith(' to a BigInt');
}

/**
 * Whether a record keeps its type and id whole. A router may pass on padding that a handler skips, and then a cut record
 * would not say what was acted on.
 */
export function fitsRecord({ type, id }: Resource): boolean {
  return Math.max(type.length, id.length) <= maxStringUnits;
}
