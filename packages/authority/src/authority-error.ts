import { CodedError } from '@countersign/common';

/**
 * - `agent_invalid`: an id, key, scope, role, tag or time that cannot be registered.
 * - `agent_unknown`: no agent has this id.
 * - `agent_exists`: the id is taken.
 * - `key_taken`: the key belongs to an agent already. A key belongs to one agent, for ever.
 * - `status_conflict`: the agent cannot change from its status to that one.
 * - `invitation_invalid`: the initial access token is unknown, used or expired.
 * - `challenge_taken`: this challenge was given to the agent before.
 */
export type AuthorityErrorCode =
  | 'agent_invalid'
  | 'agent_unknown'
  | 'agent_exists'
  | 'key_taken'
  | 'status_conflict'
  | 'invitation_invalid'
  | 'challenge_taken';

/** A change that the authority refused; nothing was changed. `code` is stable. */
export class AuthorityError extends CodedError<AuthorityErrorCode> {
  override readonly name = 'AuthorityError';
}
