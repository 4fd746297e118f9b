import { type Cedar, freshCedar } from '../cedar/instance/instance.js';
import type { CedarRequest } from '../cedar/request/request.js';
import { errorText } from '../cedar/instance/error-text.js';
import type { Condition } from '../cedar/text/conditions.js';

/** The result of one condition, evaluated alone. */
export type Verdict =
  | { readonly kind: 'true' }
  | { readonly kind: 'false' }
  | { readonly kind: 'error'; readonly error: string };

/** Separate from the instances that decide, so that an explanation cannot break them. */
let scratch: Cedar | undefined;

/**
 * Evaluates each condition alone, as the only condition of a separate permit. All permits go to Cedar in one call.
 *
 * @throws Error if Cedar refuses the request or the conditions.
 */
export function probe(request: CedarRequest, conditions: readonly Condition[], schema: string | undefined): Verdict[] {
  if (conditions.length === 0) return [];
  const staticPolicies = Object.fromEntries(
    conditions.map(({ text }, index) => [String(index), `permit(principal, action, resource) when {\n${text}\n};`]),
  );
  const { principal, action, resource, context, entities } = request;
  const question = { principal, action, resource, context, entities, policies: { staticPolicies } };
  const answer = callScratch((cedar) => cedar.isAuthorized(schema === undefined ? question : { ...question, schema }));
  if (answer.type === 'failure') throw new Error(answer.errors.map((error) => errorText(error)).join('; '));
  const { reason, errors } = answer.response.diagnostics;
  const held = new Set(reason);
  const failed = new Map(errors.map(({ policyId, error }) => [policyId, errorText(error)]));
  return conditions.map((_condition, index) => {
    const error = failed.get(String(index));
    if (error !== undefined) return { kind: 'error', error };
    return { kind: held.has(String(index)) ? 'true' : 'false' };
  });
}

function callScratch<Answer>(call: (cedar: Cedar) => Answer): Answer {
  const cedar = (scratch ??= freshCedar());
  try {
    return call(cedar);
  } catch (thrown) {
    // A throw leaks stack of the instance permanently.
    scratch = undefined;
    throw thrown;
  }
}
