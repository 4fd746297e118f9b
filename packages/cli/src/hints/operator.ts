import type { RefusalCode } from '@countersign/core';
import { type Hint, hint } from './hint.js';

const tell = 'Tell its operator.';
const later = 'Try again later, newly signed.';

export type OperatorCode =
  | 'policy_error'
  | 'route_unmapped'
  | 'resource_unresolved'
  | 'body_consumed'
  | 'not_authenticated'
  | 'internal_error'
  | 'replay_unknown'
  | 'shutting_down'
  | Extract<RefusalCode, `${string}_unavailable`>;

/** Faults of the API: the request was correct, and was not carried out. */
export const operatorHints: Readonly<Record<OperatorCode, Hint>> = {
  policy_error: hint(
    'Policy could not be asked: a policy fails on this request, or the permit names an action or type that the schema does not have. The API warns of it on standard error.',
    `${tell} \`countersign policy check\` finds it, or the name belongs into schema.cedarschema.`,
  ),
  route_unmapped: hint(
    'The route that matched has no permit, and is closed to agents. If you see one on yours, an earlier route matches the same request: the audit log names it.',
    `${tell} A \`permit\` opens the route; a middleware that was mounted as a route belongs into \`use()\`.`,
  ),
  resource_unresolved: hint(
    'The API failed to work out which resource is meant.',
    `${tell} The audit log says what was missing.`,
  ),
  body_consumed: hint(
    'The API reads bodies before the guard can verify them: its middleware is in the wrong order.',
    tell,
  ),
  not_authenticated: hint('The API asks for a permission on a route that no guard protects.', tell),
  internal_error: hint('The API failed while it checked the request.', `${tell} Trying again later may help.`),
  keys_unavailable: hint('The API cannot reach its list of agents now.', later),
  issuer_unavailable: hint('The API cannot fetch the keys of the token issuer now.', later),
  revocations_unavailable: hint('The API cannot learn now what has been revoked, so it trusts no delegation.', later),
  replay_unknown: hint(
    'The API was restarted after the request was signed, and cannot tell whether it was used before.',
    'Sign it anew, once, after Retry-After; `@countersign/agent` does so by itself.',
  ),
  replay_store_unavailable: hint('The API cannot remember used signatures now, so it accepts none.', later),
  spool_unavailable: hint('The API has no room now to keep a large body until it has verified.', later),
  policy_unavailable: hint('The API cannot evaluate its policies now.', later),
  approvals_unavailable: hint(
    'The API cannot check approvals now: the keys of the authority, its own queue, or what it knows of used ones.',
    later,
  ),
  audit_unavailable: hint('The API cannot write its audit log now, so nothing may be done.', later),
  shutting_down: hint('The process of the API that was asked is stopping, such as in an update.', later),
};
