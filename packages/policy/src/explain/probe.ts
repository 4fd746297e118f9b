import { type Cedar, freshCedar } from '../cedar/instance/instance.js';
import type { CedarRequest } from '../cedar/request/request.js';
import { describe } from '../cedar/instance/error-text.js';
import type { Condition } from '../cedar/text/conditions.js';

/** What Cedar says of one condition by itself. */
export type Verdict =
  | { readonly kind: 'true' }
  | { readonly kind: 'false' }
  | { readonly kind: 'error'; error: string };

/** Apart from the instances that decide: an explanation must not be able to harm one. */
let scratch: Cedar | undefined;

/**
 * Asks Cedar about each condition alone, all in one call: as the only condition of a permit of its own.
 *
 * @throws Error if Cedar does not take the request or the conditions.
 */
export function probe(request: CedarRequest, conditions: readonly Condition[], schema: string | undefined): Verdict[] {
  if (conditions.length === 0) return [];
  const staticPolicies = Object.fromEntries(
    conditions.map(({ text }, place) => [String(place), `permit(principal, action, resource) when {\n${text}\n};`]),
  );
  const { principal, action, resource, context, entities } = request;
  const question = { principal, action, resource, context, entities, policies: { staticPolicies } };
  const answer = ask((cedar) => cedar.isAuthorized(schema === undefined ? question : { ...question, schema }));
  if (answer.type === 'failure') throw new Error(answer.errors.map((error) => describe(error)).join('; '));
  const { reason, errors } = answer.response.diagnostics;
  const held = new Set(reason);
  const failed = new Map(errors.map(({ policyId, error }) => [policyId, describe(error)]));
  return conditions.map((_condition, place) => {
    const error = failed.get(String(place));
    if (error !== undefined) return { kind: 'error', error };
    return { kind: held.has(String(place)) ? 'true' : 'false' };
  });
}

function ask<Answer>(question: (cedar: Cedar) => Answer): Answer {
  const cedar = (scratch ??= freshCedar());
  try {
    return question(cedar);
  } catch (thrown) {
    // A throw leaks the instance's stack for good.
    scratch = undefined;
    throw thrown;
  }
}
