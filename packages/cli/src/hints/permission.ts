import type { RefusalCode } from '@countersign/core';
import { type Hint, hint } from './hint.js';

export type PermissionCode =
  | 'policy_denied'
  | 'insufficient_scope'
  | 'authorization_details_exceeded'
  | Extract<RefusalCode, `approval_${string}`>;

/** What policy and people decide. */
export const permissionHints: Readonly<Record<PermissionCode, Hint>> = {
  policy_denied: hint(
    'The agent is known, but no policy permits this action on this resource for it: its scope or role may be too narrow, it may have to act for a user, or the authorization_details of its token or a link name others (`countersign inspect` shows them).',
    'Ask the operator of the API: `countersign policy explain policies --log audit --record NUMBER --agents agents.json` names the scope, role or user that was missing.',
  ),
  insufficient_scope: hint(
    'The delegation or the capabilities of the agent do not reach this far.',
    'Ask for the scope that the WWW-Authenticate field names.',
  ),
  authorization_details_exceeded: hint(
    'The authorization_details of the token or a link name other resources or actions, or have a member that no guard knows (`countersign inspect` marks it). The code is only in audit logs; the client got policy_denied.',
    'Ask for a delegation for this one.',
  ),
  approval_required: hint(
    'A policy permits this only with the consent of people.',
    'Ask an authority with the `approval` of the answer (`agent.requestApproval`), and repeat the request with the field Agent-Approval.',
  ),
  approval_denied: hint(
    'The people who were asked did not approve this.',
    'The `approval` of the answer may say why; ask again only for something else.',
  ),
  approval_malformed: hint(
    'Agent-Approval is not one field with one JWT.',
    'Send the approval as the authority gave it.',
  ),
  approval_invalid: hint(
    'The approval is no `approval+jwt` of an authority that the API trusts, is by people who may not decide this, or by too few of them.',
    'Ask the operator: the audit log of the API says which.',
  ),
  approval_expired: hint('The time in which the approval could be used is over.', 'Ask again.'),
  approval_mismatch: hint(
    'Something differs from what was approved: target, body, content type, agent, user, or the policies of the API.',
    'Repeat exactly the request that was refused, or ask again.',
  ),
  approval_used: hint(
    'Each approval counts once, and in an API that forgets at a restart only if it was given after it.',
    'Ask again.',
  ),
};
