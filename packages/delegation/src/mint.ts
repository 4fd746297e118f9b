import { randomUUID } from 'node:crypto';
import type { JWK } from 'jose';
import { ancestorsByExchange, ancestorsClaim } from './ancestors.js';
import type { AuthorizationDetail } from './authorization-details.js';
import { agentProfile } from './application-token.js';
import { type DelegationClaims, readClaims } from './claims.js';
import { DelegationError, type DelegationErrorCode } from './error.js';
import { refuseUnknownMembers, refuseUnknownOptions, toLifetime, toScopeClaim } from './mint-options.js';
import { checkNarrowing, grantOf } from './narrowing.js';
import type { Scope, ScopeMatch } from './scope.js';
import { type SigningKey, signAccessToken } from './sign.js';
import type { StatusReference } from './status-reference.js';

/** Options of {@link mintDelegation}. */
export interface MintDelegationOptions {
  /** `iss`: the issuer that asserts the delegation. */
  readonly issuer: string;
  /** Private key of the issuer: Ed25519 (preferred), P-256, P-384, P-521 or RSA of at least 2048 bits. */
  readonly key: SigningKey;
  /** `kid` of the header. Default: the `kid` of a JWK, otherwise none. */
  readonly keyId?: string;
  /** `sub`: on whose behalf the agent acts. */
  readonly user: string;
  /** `act.sub`: the agent that acts. */
  readonly agent: string;
  /** At least one scope. */
  readonly scope: Scope | string;
  /**
   * `scope_match`: how `scope` is compared with that of `previous`. An API that compares scopes otherwise refuses the token.
   * Default: that of `previous`; without one, `hierarchical` in an exchange, and else none.
   */
  readonly scopeMatch?: ScopeMatch;
  /** `aud`: the API or APIs that accept the delegation, exactly as they are configured there. */
  readonly audience: string | readonly string[];
  /** Whole seconds until the delegation expires, at most 24 hours. */
  readonly lifetimeSeconds: number;
  /** Whole unix seconds: `Math.floor(Date.now() / 1000)`. */
  readonly now: number;
  /** `cnf.jkt`: RFC 7638 thumbprint of the one key with which the agent may use the delegation. */
  readonly agentKeyThumbprint?: string;
  /** `cnf.jwk`: the agent's Ed25519 public key, for which the issuer then vouches. */
  readonly agentPublicKey?: JWK;
  /** `authorization_details` (RFC 9396): limits besides the scope. Default: those of `previous`. */
  readonly authorizationDetails?: readonly AuthorizationDetail[];
  /** `max_hops`: the number of links that may follow; 0 forbids further delegation. Default: one less than `previous` has. */
  readonly maxHops?: number;
  /** `status`: the entry of a Token Status List with the status of the token. Default: that of `previous`. */
  readonly statusReference?: StatusReference;
  /**
   * The verified claims of the token that this one is exchanged for (RFC 8693 §2.1). All its actors are nested in `act`, and
   * `ancestors` names it, so that its revocation ends this one.
   * Issuer and user stay the same; scope, expiry, audience, details and hops can only narrow.
   */
  readonly previous?: DelegationClaims;
  /** `client_id`. Default: the agent. */
  readonly clientId?: string;
  /** `jti`. Default: a random UUID. */
  readonly id?: string;
}

const KNOWN_OPTIONS: Readonly<Record<keyof MintDelegationOptions, true>> = {
  issuer: true,
  key: true,
  keyId: true,
  user: true,
  agent: true,
  scope: true,
  scopeMatch: true,
  audience: true,
  lifetimeSeconds: true,
  now: true,
  agentKeyThumbprint: true,
  agentPublicKey: true,
  authorizationDetails: true,
  maxHops: true,
  statusReference: true,
  previous: true,
  clientId: true,
  id: true,
};

/** The option that a claim was made of, where its name is another. */
const blamed: Partial<Record<DelegationErrorCode, string>> = {
  issuer_malformed: "option 'issuer': ",
  subject_malformed: "option 'user': ",
  audience_malformed: "option 'audience': ",
  scope_malformed: "option 'scope': ",
  actor_malformed: "option 'agent': ",
  client_id_malformed: "option 'clientId': ",
  actor_is_subject: "options 'user' and 'agent': ",
};

/**
 * Mints a delegation: a JWT access token (RFC 9068) in which the issuer asserts that `agent` acts for `user`
 * (RFC 8693 §4.1). Claims that {@link readClaims} would refuse cannot be minted.
 *
 * @throws DelegationError (as a rejection) when an option is wrong; `code` says which. If `scope` or `agent` come from a
 * client, catch it and answer 400.
 *
 * @example
 * const token = await mintDelegation({
 *   issuer: 'https://id.acme.dev',
 *   key: issuerKey,
 *   keyId: 'issuer-1',
 *   user: 'user_123',
 *   agent: 'agent-code-reviewer-01',
 *   scope: 'repo:read pr:write:draft',
 *   audience: 'https://api.acme.dev',
 *   lifetimeSeconds: 300,
 *   now: Math.floor(Date.now() / 1000),
 * });
 */
export async function mintDelegation(options: MintDelegationOptions): Promise<string> {
  refuseUnknownOptions(options, KNOWN_OPTIONS);
  refuseUnknownMembers(options.authorizationDetails);
  const { issuer, user, agent, audience, clientId = agent, id = randomUUID() } = options;
  const payload = {
    iss: issuer,
    sub: user,
    ...(isOfAgent(options.previous) && { sub_profile: agentProfile }),
    aud: audience,
    client_id: clientId, // required by RFC 9068 §2.2
    scope: toScopeClaim(options.scope),
    act: toAct(options),
    ...toLifetime(options),
    jti: id,
    ...(options.previous !== undefined && ancestorsClaim(ancestorsByExchange(options.previous))),
    ...toConfirmation(options),
    ...toLimits(options),
  };
  // Parse the new claims with our own parser, so that minting and reading cannot drift apart.
  const read = readClaims(payload);
  if (!read.ok) {
    const isAgent = read.code === 'client_id_malformed' && options.clientId === undefined;
    throw new DelegationError(
      read.code,
      `${(isAgent ? blamed.actor_malformed : blamed[read.code]) ?? ''}${read.detail}`,
    );
  }
  checkPrevious(options.previous, read.claims);

  const { confirmation } = read.claims;
  const claims = {
    ...payload,
    aud: typeof audience === 'string' ? audience : [...audience],
    ...(confirmation !== undefined && { cnf: { ...confirmation } }),
  };
  return signAccessToken(claims, options.key, options.keyId);
}

/**
 * Beside an actor, the subject of an agent's own token would pass for a user. RFC 9068 §2.2: without a resource owner, `sub`
 * is the client.
 */
function isOfAgent(previous: DelegationClaims | undefined): boolean {
  if (previous === undefined) return false;
  const { actor, clientId, subject, subjectType } = previous;
  return subjectType === 'agent' || (actor === undefined && clientId === subject);
}

/** The actor, with the actors of `previous` nested in it: an exchange never drops an actor. */
function toAct({ agent, previous }: MintDelegationOptions): object {
  const before = previous?.actor === undefined ? [] : [previous.actor, ...previous.priorActors];
  const nested = before.reduceRight<object | undefined>(
    (act, { subject, issuer }) => ({
      sub: subject,
      ...(issuer !== undefined && { iss: issuer }),
      ...(act !== undefined && { act }),
    }),
    undefined,
  );
  return { sub: agent, ...(nested !== undefined && { act: nested }) };
}

/** The limits of `previous`, where the options set none. */
function toLimits({ previous, ...options }: MintDelegationOptions): object {
  const hopsLeft = previous?.maxHops === undefined ? undefined : Math.max(previous.maxHops - 1, 0);
  const { authorizationDetails = previous?.authorizationDetails, maxHops = hopsLeft } = options;
  const { statusReference: status = previous?.statusReference } = options;
  const { scopeMatch = previous && (previous.scopeMatch ?? 'hierarchical') } = options;
  return {
    ...(authorizationDetails !== undefined && { authorization_details: authorizationDetails }),
    ...(scopeMatch !== undefined && { scope_match: scopeMatch }),
    ...(maxHops !== undefined && { max_hops: maxHops }),
    ...(status !== undefined && { status: { status_list: { idx: status.index, uri: status.uri } } }),
  };
}

function checkPrevious(previous: DelegationClaims | undefined, claims: DelegationClaims): void {
  if (previous === undefined) return;
  // An id identifies another principal at another issuer, so it cannot be copied.
  if (claims.issuer !== previous.issuer || claims.subject !== previous.subject) {
    throw new DelegationError('previous_mismatch', 'issuer and user must be those of previous');
  }
  const broken = checkNarrowing(grantOf(previous), claims, claims.scopeMatch);
  if (broken !== undefined) throw new DelegationError(broken.code, broken.detail);
}

function toConfirmation(options: MintDelegationOptions): {
  readonly cnf?: { readonly jkt?: string; readonly jwk?: JWK };
} {
  const { agentKeyThumbprint: jkt, agentPublicKey: jwk } = options;
  if (jkt === undefined && jwk === undefined) return {};
  return { cnf: { ...(jkt !== undefined && { jkt }), ...(jwk !== undefined && { jwk }) } };
}
