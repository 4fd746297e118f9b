import { checkOptionNames, ConfigError } from '@countersign/common';
import { type AuthorizationDetail, parseScope, type Scope } from '@countersign/delegation';
import type { Settings } from '../options.js';
import { type HeldToken, holdToken } from './held-token.js';
import type { TokenEndpoint } from './token-endpoint.js';

/** What tokens to ask the authority for. */
export interface TokenOptions {
  /** A list, or text separated by spaces. Default: all that can be granted. */
  readonly scope?: Scope | string;
  /** The API, as it names itself. Default: the first API of the authority. */
  readonly audience?: string;
  /** Limits to single resources and actions (RFC 9396). Default: those of the user's token. */
  readonly authorizationDetails?: readonly AuthorizationDetail[];
}

/** The user's token, or a function that gets it: it is called again for each exchange. */
export type UserToken = string | (() => string | Promise<string>);

const optionNames: readonly string[] = [
  'scope',
  'audience',
  'authorizationDetails',
] satisfies readonly (keyof TokenOptions)[];
const accessToken = 'urn:ietf:params:oauth:token-type:access_token';

/** Tokens for a user, by exchange (RFC 8693). */
export function userTokens(
  endpoint: TokenEndpoint,
  settings: Settings,
  user: UserToken,
  options: TokenOptions,
): HeldToken {
  if (typeof user !== 'function' && (typeof user !== 'string' || user === '')) {
    throw new ConfigError("actFor: pass the user's token, or a function that gets it. Write 'await' before a promise.");
  }
  const parameters = readParameters('actFor', options);
  return hold(settings, async () => {
    const subjectToken = typeof user === 'function' ? await user() : user;
    return await endpoint.request({
      ...parameters,
      grant_type: 'urn:ietf:params:oauth:grant-type:token-exchange',
      subject_token: subjectToken,
      subject_token_type: accessToken,
    });
  });
}

/** Tokens for the agent itself (RFC 6749 §4.4). */
export function ownTokens(endpoint: TokenEndpoint, settings: Settings, options: TokenOptions): HeldToken {
  const parameters = readParameters('withOwnToken', options);
  return hold(settings, () => endpoint.request({ ...parameters, grant_type: 'client_credentials' }));
}

function hold(settings: Settings, get: Parameters<typeof holdToken>[0]): HeldToken {
  return holdToken(get, () => settings.clock() / 1000);
}

function readParameters(owner: string, options: TokenOptions): Record<string, string> {
  checkOptionNames(owner, options, optionNames);
  const { scope, audience, authorizationDetails } = options;
  const text = Array.isArray(scope) ? scope.join(' ') : scope;
  if (text !== undefined && !parseScope(text).ok) {
    throw new ConfigError(`${owner}: 'scope' must be scopes like 'repo:read': a list, or text separated by spaces.`);
  }
  if (audience !== undefined && (typeof audience !== 'string' || !URL.canParse(audience))) {
    throw new ConfigError(`${owner}: 'audience' must be the API as it names itself, like 'https://api.acme.dev'.`);
  }
  return {
    ...(typeof text === 'string' && { scope: text }),
    ...(audience !== undefined && { resource: audience }),
    ...(authorizationDetails !== undefined && { authorization_details: JSON.stringify(authorizationDetails) }),
  };
}
