import { CodedError } from '@countersign/common';

/**
 * Why a call was not sent, or its answer not followed:
 * - `body_too_large`: the body is over `maxBodyBytes`; it must be whole in memory to be signed.
 * - `redirect_refused`: the API answered with a redirect. A signature is for one URL and is not carried to another.
 * - `insecure_credential`: a token would cross the network over plain http.
 * - `credential_conflict`: a token or links were given twice, by `withToken` or `accept` and by a header.
 * - `delegation_impossible`: what was to be handed on cannot be: it is wider than what is held, over, or malformed.
 * - `bundle_invalid`: a bundle is not for this agent, malformed or expired; or the agent is a workload, which uses `actFor`.
 * - `already_signed`: the headers carry a signature of someone else.
 * - `host_mismatch`: the `Host` header names another host than the URL.
 * - `token_refused`: the authority gives no token: the agent, the user or a rule does not allow it.
 * - `approval_refused`: the authority does not ask people, or its approvals do not count at the API.
 * - `approval_denied`: people did not approve; the message may say why.
 * - `approval_expired`: nobody approved in time.
 * - `identity_unavailable`: the SPIFFE Workload API gives no identity: it is down, or the workload is not registered.
 * - `authority_unavailable`: the authority cannot be reached, or is out of order. Try again later.
 * - `origin_not_allowed`: the URL is at none of the `origins` of the agent.
 * - `url_unsupported`: the URL is not http(s), is relative, carries credentials or has an encoded dot segment.
 */
export type AgentErrorCode =
  | 'body_too_large'
  | 'redirect_refused'
  | 'insecure_credential'
  | 'credential_conflict'
  | 'delegation_impossible'
  | 'bundle_invalid'
  | 'already_signed'
  | 'host_mismatch'
  | 'token_refused'
  | 'approval_refused'
  | 'approval_denied'
  | 'approval_expired'
  | 'identity_unavailable'
  | 'authority_unavailable'
  | 'origin_not_allowed'
  | 'url_unsupported';

/** A call that the agent did not make or did not finish, or a delegation that it did not hand on or take over. `code` is stable; the message says what to do. */
export class AgentError extends CodedError<AgentErrorCode> {
  override readonly name = 'AgentError';
}
