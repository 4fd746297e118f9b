import { checkOptionNames, ConfigError, integerOption, isJsonObject, secureUrl } from '@countersign/common';
import { isIdentifier } from '@countersign/delegation';
import { longestGrantSeconds } from '../storage/sweeper.js';
import type { SignInOptions, UserOptions } from './authority-options.js';

const owner = 'createAuthority';

/** The options of the pages, checked. Exactly one of `authenticate` and `signIn`. */
export type UserSettings = { readonly longestConsentSeconds: number } & (
  | { readonly authenticate: NonNullable<UserOptions['authenticate']>; readonly signIn?: undefined }
  | { readonly signIn: SignInOptions; readonly authenticate?: undefined }
);

export function readUsers(users: UserOptions): UserSettings {
  checkOptionNames(`${owner}, 'users'`, users, ['authenticate', 'signIn', 'longestConsentSeconds']);
  const { authenticate, signIn, longestConsentSeconds = 28_800 } = users;
  const common = {
    longestConsentSeconds: integerOption(
      owner,
      'longestConsentSeconds',
      longestConsentSeconds,
      60,
      longestGrantSeconds,
    ),
  };
  if (signIn !== undefined && authenticate === undefined) return { ...common, signIn: readSignIn(signIn) };
  if (typeof authenticate !== 'function' || signIn !== undefined) {
    throw wrong(
      "'users' needs either 'signIn', the OpenID provider of your users, or a function 'authenticate' that says who is signed in; in development, use developmentUser()",
    );
  }
  return { ...common, authenticate };
}

const signInNames = Object.keys({
  issuer: true,
  clientId: true,
  clientSecret: true,
  subjectNamespace: true,
  subjectClaim: true,
  requiredClaims: true,
  groupsClaim: true,
  tenantClaim: true,
} satisfies Record<keyof SignInOptions, true>);

function readSignIn(signIn: SignInOptions): SignInOptions {
  checkOptionNames(`${owner}, 'signIn'`, signIn, signInNames);
  const { issuer, clientId, clientSecret, subjectNamespace, requiredClaims = {} } = signIn;
  const { subjectClaim, groupsClaim, tenantClaim } = signIn;
  if (!secureUrl(issuer, 'loopback').ok || /[?#]/.test(issuer)) {
    throw wrong(
      "'signIn': 'issuer' must be the https URL of your OpenID provider, as its discovery document writes it",
    );
  }
  if (!isIdentifier(clientId)) {
    throw wrong("'signIn': 'clientId' must be the id that your OpenID provider gave to the authority");
  }
  if (typeof clientSecret !== 'string' || !/^[\x20-\x7e]{1,1024}$/.test(clientSecret)) {
    throw wrong("'signIn': 'clientSecret' must be the secret that your OpenID provider gave to the authority");
  }
  if (!isIdentifier(subjectNamespace) || subjectNamespace.length > 64) {
    throw wrong("'signIn': give it a 'subjectNamespace' like 'acme:', so that its users are not mistaken for others");
  }
  const claims = isJsonObject(requiredClaims) ? Object.entries(requiredClaims) : [];
  if (!isJsonObject(requiredClaims) || claims.some(([, value]) => !['string', 'boolean'].includes(typeof value))) {
    throw wrong('\'signIn\': \'requiredClaims\' must name claims with their values, like { "hd": "acme.dev" }');
  }
  for (const [name, claim] of Object.entries({ subjectClaim, groupsClaim, tenantClaim })) {
    if (claim !== undefined && !isIdentifier(claim)) throw wrong(`'signIn': '${name}' must be the name of a claim`);
  }
  return { ...signIn, requiredClaims: { ...requiredClaims } };
}

function wrong(detail: string): ConfigError {
  return new ConfigError(`${owner}: ${detail}.`);
}
