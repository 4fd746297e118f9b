import { ConfigError, messageOf, secureUrl } from '@countersign/common';
import { isIdentifier } from '@countersign/delegation';
import * as oauth from 'oauth4webapi';
import type { SignInOptions } from '../options/authority-options.js';

/** What one sign-in is recognized by when the browser comes back. */
export interface SignInAttempt {
  readonly state: string;
  readonly nonce: string;
  /** Of PKCE. */
  readonly verifier: string;
}

/** Who the provider says the user is. */
export interface ProvidedUser {
  /** Of the ID token. */
  readonly claims: Readonly<Record<string, unknown>> & { readonly sub: string };
  /** A name that the user recognizes. */
  readonly name?: string;
}

/** The OpenID provider at which users sign in, with the authority as its client (OpenID Connect Core 1.0 §3.1). */
export interface OpenIdProvider {
  /** @throws ConfigError if it answers, but not as a provider that can be used. Its absence is reported, and asked for again. */
  check(onTrouble: (message: string) => void): Promise<void>;
  /** Where a browser is sent to sign in; `again`: even if the user is signed in there. */
  signInUrl(attempt: SignInAttempt, again: boolean): Promise<string>;
  /** @throws SignInRefused or ProviderUnavailable */
  userOf(answer: URLSearchParams, attempt: SignInAttempt): Promise<ProvidedUser>;
  /** Where a user signs out there. Undefined: the provider has no such page, or is not known yet. */
  signOutUrl(): Promise<string | undefined>;
}

/** The provider did not sign the user in, or the answer is not its own. Nothing that an operator must mend. */
export class SignInRefused extends Error {
  override readonly name = 'SignInRefused';
}

/** The provider cannot be used now. */
export class ProviderUnavailable extends Error {
  override readonly name = 'ProviderUnavailable';
}

const timeoutMilliseconds = 5000;
const toleratedClockSkewSeconds = 30;

export function openIdProvider(options: SignInOptions, redirectUri: string): OpenIdProvider {
  const issuer = new URL(options.issuer);
  const client: oauth.Client = { client_id: options.clientId, [oauth.clockTolerance]: toleratedClockSkewSeconds };
  // Accepted only on loopback, by the reading of the options.
  const insecure = { [oauth.allowInsecureRequests]: issuer.protocol === 'http:' };
  const requestOptions = () => ({ ...insecure, signal: AbortSignal.timeout(timeoutMilliseconds) });
  let known: Promise<oauth.AuthorizationServer> | undefined;

  async function discover(): Promise<oauth.AuthorizationServer> {
    const response = await oauth.discoveryRequest(issuer, { algorithm: 'oidc', ...requestOptions() });
    if (response.status >= 500 || response.status === 429) {
      throw new ProviderUnavailable(`its discovery document is answered with ${response.status}`);
    }
    const server = await oauth.processDiscoveryResponse(issuer, response);
    for (const name of ['authorization_endpoint', 'token_endpoint', 'jwks_uri'] as const) {
      if (!secureUrl(server[name], 'loopback').ok) throw new Error(`its discovery document has no ${name} with https`);
    }
    const methods = server.code_challenge_methods_supported;
    if (methods !== undefined && !methods.includes('S256')) throw new Error('it does not support PKCE with S256');
    return server;
  }

  async function provider(): Promise<oauth.AuthorizationServer> {
    known ??= discover();
    try {
      return await known;
    } catch (error) {
      known = undefined;
      throw new ProviderUnavailable(`'${options.issuer}': ${explain(error)}`, { cause: error });
    }
  }

  /** OpenID Connect Core 1.0 §9: a client that did not choose otherwise is registered with `client_secret_basic`. */
  function authenticate(...call: Parameters<oauth.ClientAuth>): void {
    const [{ token_endpoint_auth_methods_supported: methods = ['client_secret_basic'] }] = call;
    const method = methods.includes('client_secret_basic') ? oauth.ClientSecretBasic : oauth.ClientSecretPost;
    void method(options.clientSecret)(...call);
  }

  /** Some providers keep names out of ID tokens. The name is only shown, so its absence is no failure. */
  async function userInfo(server: oauth.AuthorizationServer, token: string, subject: string): Promise<object> {
    if (!secureUrl(server.userinfo_endpoint, 'loopback').ok) return {};
    try {
      const response = await oauth.userInfoRequest(server, client, token, requestOptions());
      return await oauth.processUserInfoResponse(server, client, subject, response);
    } catch {
      return {};
    }
  }

  return {
    async check(onTrouble) {
      try {
        await provider();
      } catch (error) {
        const cause = error instanceof Error ? error.cause : undefined;
        const reason = explain(cause);
        if (isOutage(cause)) {
          onTrouble(`users cannot sign in until '${options.issuer}' answers: ${reason}`);
          return;
        }
        throw new ConfigError(
          `createAuthority: 'signIn': '${options.issuer}' cannot be used as an OpenID provider: ${reason}. Its 'issuer' must be as its discovery document writes it.`,
        );
      }
    },

    async signInUrl({ state, nonce, verifier }, again) {
      const server = await provider();
      const url = new URL(String(server.authorization_endpoint));
      for (const [name, value] of Object.entries({
        client_id: options.clientId,
        redirect_uri: redirectUri,
        response_type: 'code',
        scope: 'openid profile email',
        state,
        nonce,
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
        ...(again && { prompt: 'login' }),
      })) {
        url.searchParams.set(name, value);
      }
      return url.href;
    },

    async userOf(answer, { state, nonce, verifier }) {
      const server = await provider();
      let parameters: URLSearchParams;
      try {
        // Whoever sends the browser here writes these, so nothing in them is a fault of the provider.
        parameters = oauth.validateAuthResponse(server, client, answer, state);
      } catch (error) {
        throw new SignInRefused(refusalOf(error));
      }
      if (!parameters.get('code')) throw new SignInRefused('the answer has no code');
      try {
        const response = await oauth.authorizationCodeGrantRequest(
          server,
          client,
          authenticate,
          parameters,
          redirectUri,
          verifier,
          requestOptions(),
        );
        const tokens = await oauth.processAuthorizationCodeResponse(server, client, response, {
          expectedNonce: nonce,
          requireIdToken: true,
        });
        await oauth.validateApplicationLevelSignature(server, response, requestOptions());
        const claims = oauth.getValidatedIdTokenClaims(tokens);
        if (claims === undefined) throw new Error('it gave no ID token');
        const name = nameIn(claims) ?? nameIn(await userInfo(server, tokens.access_token, claims.sub));
        return { claims, ...(name !== undefined && { name }) };
      } catch (error) {
        if (error instanceof oauth.ResponseBodyError && error.error === 'invalid_grant') {
          throw new SignInRefused('the code was used before, or is too old');
        }
        throw new ProviderUnavailable(`'${options.issuer}': ${explain(error)}`, { cause: error });
      }
    },

    async signOutUrl() {
      const server = await provider().catch(() => undefined);
      const end = secureUrl(server?.end_session_endpoint, 'loopback');
      if (!end.ok) return undefined;
      end.url.searchParams.set('client_id', options.clientId);
      return end.url.href;
    },
  };
}

/** What the provider says in the address, if it is a code of OAuth: anything else would be words put in our mouth. */
function refusalOf(error: unknown): string {
  const code = error instanceof oauth.AuthorizationResponseError ? error.error : '';
  return /^[a-z_]{1,40}$/.test(code) ? code : 'the answer is not that of the provider';
}

function nameIn(claims: object): string | undefined {
  const { email, preferred_username: username, name } = claims as Readonly<Record<string, unknown>>;
  return [email, username, name].find(isIdentifier);
}

/** Not the fault of the options: the provider does not answer, or answers that it cannot. */
function isOutage(error: unknown): boolean {
  return error instanceof ProviderUnavailable || error instanceof TypeError || error instanceof DOMException;
}

/** Without the answers that the library attaches: tokens could be in them. */
function explain(error: unknown): string {
  if (error instanceof oauth.WWWAuthenticateChallengeError) return "it refuses the 'clientId' with this 'clientSecret'";
  if (error instanceof oauth.ResponseBodyError) {
    const { error: code, error_description: description } = error;
    return `its token endpoint answers ${code}${description === undefined ? '' : `: ${description}`}`;
  }
  const cause = error instanceof Error ? error.cause : undefined;
  if (cause instanceof Response) return `${messageOf(error)}: ${cause.status}`;
  return cause instanceof Error ? `${messageOf(error)} (${messageOf(cause)})` : messageOf(error);
}
