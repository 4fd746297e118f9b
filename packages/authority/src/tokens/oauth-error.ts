import { errors } from 'oidc-provider';

/** The errors of RFC 6749 §5.2, RFC 8693 §2.2.2 and RFC 8707 §2 that our grants answer, all with 400. */
export type OAuthErrorCode = 'invalid_request' | 'invalid_grant' | 'invalid_scope' | 'invalid_target';

/** A refusal that the library answers. The description reaches the agent, so it quotes nobody else. */
export function oauthError(code: OAuthErrorCode, description: string): Error {
  return new errors.CustomOIDCProviderError(code, description);
}
