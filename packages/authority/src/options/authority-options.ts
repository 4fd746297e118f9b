import type { IncomingMessage } from 'node:http';
import type { AuditSink } from '@countersign/core';
import type { Scope, ScopeMatch } from '@countersign/delegation';
import type { TrustDomains } from '@countersign/spiffe';
import type { Store } from '../storage/store.js';

/** An API for which the authority issues tokens. */
export interface ResourceOptions {
  /** Its `aud`, and the resource indicator (RFC 8707) by which agents ask for it: an absolute URL, like its origin. */
  readonly audience: string;
  /** The scopes that exist at this API; wider ones are never issued for it. Default: no limit. */
  readonly scopes?: Scope;
  /**
   * How the API compares scopes: `scopeMatch` of its `createGuard`. A guard that compares otherwise refuses the tokens. Default
   * `hierarchical`.
   */
  readonly scopeMatch?: ScopeMatch;
  /** Ids of registered agents that may introspect its tokens, such as that of the API itself. Default: none. */
  readonly introspectedBy?: readonly string[];
}

/** An identity provider whose access tokens may be exchanged for delegated tokens of this authority. */
export interface ExternalIssuerOptions {
  /** Its name, compared character for character with a token's `iss`. */
  readonly issuer: string;
  /** The `aud` that its tokens must have. */
  readonly audience: string;
  /** Prefix of the name of each user, so that equal names of two issuers are two subjects. */
  readonly subjectNamespace: string;
  /**
   * The claim that names the user: `oid` of Entra ID, `uid` of Okta. Not one that a user can change, or that is given to
   * another user later, such as an e-mail address. Default `sub`.
   */
  readonly subjectClaim?: string;
  /** URL of its public keys. Default: discovered by its name. */
  readonly jwksUri?: string;
  /** Its public keys, given. */
  readonly jwks?: { readonly keys: readonly object[] };
  /** Default Ed25519 (also called EdDSA), ES256, PS256 and RS256. */
  readonly algorithms?: readonly string[];
  /** Accepted `typ` of its tokens. Default `at+jwt`; many providers write `JWT`. `''` is a token without `typ`, as of Okta. */
  readonly tokenTypes?: readonly string[];
  /** The claim with the scopes that the user has granted. Default `scope`. Without scopes nothing can be delegated. */
  readonly scopeClaim?: string;
}

/** Who may exchange which tokens. A token that no rule allows cannot be exchanged, whoever holds it. */
export interface ExchangeRule {
  /** The agents that may act: by id, or by tag. Exactly one of both. */
  readonly agents?: readonly string[];
  readonly tag?: string;
  /** The issuer of the subject token. Default: this authority. */
  readonly issuer?: string;
  /** Agents that may hand their delegated tokens on to these. Without it, the rule is for tokens of users, without an actor. */
  readonly from?: readonly string[];
  /** The most that may be delegated by this rule. Default: no limit besides those of the token and the agent. */
  readonly scope?: Scope;
}

/** Who is signed in, as the application knows it; or where to sign in, which then leads back. */
export type SignIn = { readonly user: SignedInUser } | { readonly redirect: string };

export interface SignedInUser {
  /** Their `sub` in tokens. */
  readonly subject: string;
  /** What they see. Default: the subject. */
  readonly name?: string;
  /** Groups whose requests they may approve. Default: none. */
  readonly groups?: readonly string[];
  /** Their tenant: they approve only for agents with the tag `tenant:NAME`. Default: for agents without such a tag. */
  readonly tenant?: string;
  /** How and when they signed in (OpenID Connect). An approval says so. */
  readonly amr?: readonly string[];
  readonly acr?: string;
  readonly authTime?: number;
}

/** The OpenID provider of the team, at which users sign in. The authority is its client, with a session of its own. */
export interface SignInOptions {
  /** Its name and address, as its discovery document writes it: an https URL, or http on loopback. */
  readonly issuer: string;
  /** The authority, as it is registered there, with the redirect URI `ISSUER/sign-in/callback`, ISSUER being its own. */
  readonly clientId: string;
  readonly clientSecret: string;
  /** Prefix of the name of each user. If the provider is one of `externalIssuers` too, the same as there. */
  readonly subjectNamespace: string;
  /**
   * The claim of the ID token that names the user, as access tokens of the provider name them: `oid` of Entra ID, `sub` of
   * Okta. Default `sub`.
   */
  readonly subjectClaim?: string;
  /**
   * Claims that the ID token must have, such as `{ hd: 'acme.dev' }`; of a claim that is a list, one entry. Default: none, and
   * everybody with an account at the provider can sign in.
   */
  readonly requiredClaims?: Readonly<Record<string, string | boolean>>;
  /** The claim with the groups of a user, for approvals. Default `groups`. */
  readonly groupsClaim?: string;
  /** The claim with the tenant of a user, for approvals. Default: users have no tenant. */
  readonly tenantClaim?: string;
}

/** The pages on which users let agents act for them, and see and revoke that. Exactly one of `authenticate` and `signIn`. */
export interface UserOptions {
  /** Lets users sign in at an OpenID provider. */
  readonly signIn?: SignInOptions;
  /**
   * Says who sends a request, by the session of the application. `returnTo` is the URL to which a sign-in leads back.
   *
   * @example
   * authenticate: (request, returnTo) => {
   *   const user = sessionOf(request)?.user;
   *   if (user === undefined) return { redirect: `/login?next=${encodeURIComponent(returnTo)}` };
   *   return { user: { subject: `user:${user.id}`, name: user.email } };
   * }
   */
  readonly authenticate?: (request: IncomingMessage, returnTo: string) => SignIn | Promise<SignIn>;
  /** The longest time for which a user can let an agent act, 60 to 2592000 seconds. Default 28800, which is 8 hours. */
  readonly longestConsentSeconds?: number;
}

/** Where people learn that something waits for them. Only a link and names are sent, never arguments or contents. */
export type ChannelOptions =
  | {
      /** `webhook`: JSON, signed by the authority (RFC 9421). `slack`, `teams`: an incoming webhook of theirs. */
      readonly type: 'webhook' | 'slack' | 'teams';
      /** Names the channel in problems and dead letters. */
      readonly name: string;
      /** An https URL. Http on loopback. */
      readonly url: string;
      /** Only requests that one of these groups can approve. Default: all. */
      readonly groups?: readonly string[];
    }
  | {
      /** E-mail. The application needs the package `nodemailer`. */
      readonly type: 'email';
      readonly name: string;
      /** The mail server: `smtps://user:password@host`, or `smtp://host:587`. */
      readonly smtp: string;
      readonly from: string;
      readonly to: readonly string[];
      readonly groups?: readonly string[];
    };

/** People approve what a policy permits only with consent. */
export interface ApprovalOptions {
  /** Who is in which group, by subject, besides the groups that `authenticate` names. */
  readonly groups?: Readonly<Record<string, readonly string[]>>;
  /** How many denials end a request, 1 to 10. Default 1. */
  readonly denials?: number;
  /** Who may approve alone in an emergency, by subject. Guards must name them too. Default: nobody. */
  readonly breakGlass?: readonly string[];
  /** Default: none. */
  readonly channels?: readonly ChannelOptions[];
}

/** Which workloads are which agents, and what they may do. */
export interface WorkloadRule {
  /** A SPIFFE ID, or one that ends in `/*`, which stands for one segment or more. The first rule that matches counts. */
  readonly id: string;
  /** The scopes that it may ever use. */
  readonly capabilities: Scope;
  /** Who answers for it. */
  readonly owner?: string;
  /** For rules of `exchange`, and to change many agents at once. Default: none. */
  readonly tags?: readonly string[];
}

/** Workloads with a SPIFFE identity get tokens without a registered key. */
export interface SpiffeOptions {
  /** The trust domains, and where their bundles come from. */
  readonly trustDomains: TrustDomains;
  /** A workload that no rule names gets no token. */
  readonly workloads: readonly WorkloadRule[];
}

export interface AuthorityOptions {
  /** Its name and address: an https URL, with the path below which it is mounted. Http on loopback, for development. */
  readonly issuer: string;
  /** At least 32 characters of randomness, from a secret store. It seals signing keys in the database and signs cookies. */
  readonly secret: string;
  /** From `openSqlite` or `openPostgres`. The authority closes it. */
  readonly store: Store;
  /** The APIs. At least one; the first is the default. */
  readonly resources: readonly ResourceOptions[];
  /** Bearer tokens of administrators, each at least 32 characters. Default: none, and there is no admin API over HTTP. */
  readonly adminTokens?: readonly string[];
  /** Longest lifetime of a token in seconds, 10 to 3600. Default 300. */
  readonly tokenLifetimeSeconds?: number;
  /** Actors of a delegated token at most, 1 to 16. Default 5. */
  readonly maxDelegationDepth?: number;
  /** Default: none. */
  readonly externalIssuers?: readonly ExternalIssuerOptions[];
  /** Default: none, and no token can be exchanged. */
  readonly exchange?: readonly ExchangeRule[];
  /** Default: none; users then see no pages and cannot consent. */
  readonly users?: UserOptions;
  /** The queue of approvals. Needs `users`. Default: none, and nobody can approve anything here. */
  readonly approvals?: ApprovalOptions;
  /** Workloads that prove themselves with a JWT-SVID. Default: none. */
  readonly spiffe?: SpiffeOptions;
  /**
   * Where it is recorded who asked, decided, consented and administered: a sink or several, like `auditFile('audit')`. The
   * authority closes it, unless a guard has it as well. One that was closed is refused. An approval counts once it is
   * recorded. Default: nowhere.
   */
  readonly audit?: AuditSink | readonly AuditSink[];
  /** Days until a signing key is replaced, 1 to 365. Default 90. */
  readonly signingKeyDays?: number;
  /** Gets problems that no answer can carry. Default: a process warning. */
  readonly onTrouble?: (message: string) => unknown;
}
