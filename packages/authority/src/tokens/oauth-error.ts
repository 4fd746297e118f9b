import { errors } from 'oidc-provider';

/**
 * The errors of RFC 6749 §4.1.2.1 and §5.2, RFC 8693 §2.2.2, RFC 8707 §2, RFC 9396 §5 and OpenID Connect Core §3.1.2.6 that
 * our grants and pages answer.
 */
export type OAuthErrorCode =
  | 'access_denied'
  | 'interaction_required'
  | 'invalid_authorization_details'
  | 'invalid_grant'
  | 'invalid_request'
  | 'invalid_scope'
  | 'invalid_target'
  | 'request_not_supported'
  | 'request_uri_not_supported'
  | 'unsupported_grant_type'
  | 'unsupported_response_type';

/** A refusal that the library answers. The description reaches the agent, so it quotes nobody else. */
export function oauthError(code: OAuthErrorCode, description: string): Error {
  return new errors.CustomOIDCProviderError(code, description);
}
