/**
 * Why a call was not sent, or its answer not followed:
 * - `body_too_large`: the body is over `maxBodyBytes`; it must be whole in memory to be signed.
 * - `redirect_refused`: the API answered with a redirect. A signature is for one URL and is not carried to another.
 * - `insecure_credential`: a token would cross the network over plain http.
 * - `credential_conflict`: a token was given twice, by `withToken` and by a header.
 * - `already_signed`: the headers carry a signature of someone else.
 * - `host_mismatch`: the `Host` header names another host than the URL.
 * - `url_unsupported`: the URL is not http(s), is relative or carries credentials.
 */
export type AgentErrorCode =
  | 'body_too_large'
  | 'redirect_refused'
  | 'insecure_credential'
  | 'credential_conflict'
  | 'already_signed'
  | 'host_mismatch'
  | 'url_unsupported';

/** A call that the agent did not make or did not finish. `code` is stable; the message says what to do. */
export class AgentError extends Error {
  override readonly name = 'AgentError';
  readonly code: AgentErrorCode;

  constructor(code: AgentErrorCode, message: string) {
    super(message);
    this.code = code;
  }
}
