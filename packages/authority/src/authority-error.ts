import { CodedError } from '@countersign/common';

/**
 * - `agent_invalid`: an id, key, scope, role, tag or time that cannot be registered.
 * - `agent_unknown`: no agent has this id.
 * - `agent_exists`: the id is taken.
 * - `key_taken`: the key belongs to an agent already. A key belongs to one agent, for ever.
 * - `keys_full`: the agent registered too many keys in the last hour.
 * - `status_conflict`: the agent cannot change from its status to that one.
 * - `invitation_invalid`: the initial access token is unknown, used or expired.
 * - `challenge_taken`: this challenge was given to the agent before.
 * - `approval_invalid`: a question that cannot be asked, or an answer without the reason that it needs.
 * - `approval_unknown`: no approval has this id.
 * - `approval_conflict`: it was decided, withdrawn or has expired, or this person has decided already.
 * - `approval_forbidden`: this person may not decide about it.
 * - `approvals_full`: too many questions of the agent wait.
 */
export type AuthorityErrorCode =
  | 'agent_invalid'
  | 'agent_unknown'
  | 'agent_exists'
  | 'key_taken'
  | 'keys_full'
  | 'status_conflict'
  | 'invitation_invalid'
  | 'challenge_taken'
  | 'approval_invalid'
  | 'approval_unknown'
  | 'approval_conflict'
  | 'approval_forbidden'
  | 'approvals_full';

/** A change that the authority refused; nothing was changed. `code` is stable. */
export class AuthorityError extends CodedError<AuthorityErrorCode> {
  override readonly name = 'AuthorityError';
}
