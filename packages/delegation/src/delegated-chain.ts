import { type ActingAgent, buildChain, type Chain, type DelegatedChain, type Hop } from './chain.js';
import type { DelegationClaims } from './claims.js';
import type { LinkClaims } from './link.js';
import { refuseUnknownOptions } from './mint-options.js';
import { checkNarrowing, grantOf, inheritLimits, type ParentGrant } from './narrowing.js';
import { type ChainRefusalCode, type DelegationRefusal, refuse } from './refusal.js';
import type { ScopeMatch } from './scope.js';

/** A link whose signature has verified with a registered key of an agent. */
export interface VerifiedLink {
  readonly claims: LinkClaims;
  /** `parentHash` of the link as sent. */
  readonly hash: string;
  /** The agent to which the key belongs. */
  readonly delegator: ActingAgent;
}

/** The start of a chain: a verified token and its `parentHash`, or the agent itself. */
export type ChainRoot =
  | { readonly token: DelegationClaims; readonly tokenHash: string }
  | { readonly token?: undefined; readonly tokenHash?: undefined };

export interface DelegatedChainOptions {
  readonly root: ChainRoot;
  /** In order. The parent of the first link is the token, or the agent's own rights; of each later one, the link before. */
  readonly links: readonly VerifiedLink[];
  /** The agent whose key signed the request. */
  readonly actor: ActingAgent;
  /** Most delegations between subject and actor. */
  readonly maxDepth: number;
  /** Refuses a token whose `scope_match` says otherwise. Default: that of the token, else `hierarchical`. */
  readonly scopeMatch?: ScopeMatch;
}

const KNOWN_OPTIONS: Readonly<Record<keyof DelegatedChainOptions, true>> = {
  root: true,
  links: true,
  actor: true,
  maxDepth: true,
  scopeMatch: true,
};

type ChainRefusal = DelegationRefusal<ChainRefusalCode>;

/**
 * Builds the chain from a verified token of a trusted issuer and verified links to the agent that signed the request, if
 * every law of delegation holds. Without token and links, the chain is the agent alone. Check the times and audiences of
 * the token and of each link with `checkTimes` and `checkAudience`.
 *
 * @throws DelegationError when an option is misspelt.
 *
 * @example
 * const acting = delegatedChain({
 *   root: { token: claims, tokenHash: parentHash(token) },
 *   links: [],
 *   actor: { id: 'agent-1', keyId, capabilities: ['pr:write'] },
 *   maxDepth: 5,
 * });
 * if (acting.ok) acting.chain.map((hop) => hop.id); // ['user_123', 'agent-1']
 */
export function delegatedChain(options: DelegatedChainOptions): DelegatedChain | ChainRefusal {
  refuseUnknownOptions(options, KNOWN_OPTIONS);
  const { root, links, actor, maxDepth, scopeMatch = root.token?.scopeMatch } = options;
  const first = links[0]?.delegator ?? actor;
  const misused = root.token === undefined ? undefined : checkToken(root.token, first, scopeMatch);
  if (misused !== undefined) return misused;
  const hops: [Hop, ...Hop[]] = [...firstHops(root.token, first)];
  // Written so that a `maxDepth` of NaN refuses every chain.
  if (!(hops.length - 1 + links.length <= maxDepth)) return refuse('delegation_too_deep');

  let parent = parentOf(root);
  for (const [index, link] of links.entries()) {
    const user = links[index + 1]?.delegator ?? actor;
    const broken = checkLink(link, parent, user, scopeMatch);
    if (broken !== undefined) return broken;
    hops.push(linkedHop(link.claims, user));
    parent = { hash: link.hash, grant: parent === undefined ? link.claims : inheritLimits(parent.grant, link.claims) };
  }
  if (new Set(hops.map((hop) => hop.id)).size < hops.length) return refuse('agent_repeated');
  return buildChain(hops, [actor, ...links.map((link) => link.delegator)], scopeMatch);
}

/** The parent of a link; absent if the link delegates the agent's own rights. */
interface Parent {
  readonly hash: string;
  readonly grant: ParentGrant;
}

function parentOf({ token, tokenHash }: ChainRoot): Parent | undefined {
  return token === undefined ? undefined : { hash: tokenHash, grant: grantOf(token) };
}

/** `user` is the agent that uses the token: it signed the first link or, without links, the request. */
function checkToken(
  { subject, actor, confirmation, scopeMatch }: DelegationClaims,
  user: ActingAgent,
  match: ScopeMatch | undefined,
): ChainRefusal | undefined {
  if (confirmation !== undefined && confirmation.jkt !== user.keyId) return refuse('confirmation_mismatch');
  // A user's own token does not make its bearer an actor, even if may_act names that agent.
  if (actor === undefined && subject !== user.id) return refuse('actor_missing');
  if (actor !== undefined && actor.subject !== user.id) return refuse('actor_mismatch');
  // What the issuer took for narrower could be another right here.
  return scopeMatch === undefined || scopeMatch === match ? undefined : refuse('scope_match_mismatch');
}

/** From the subject of the token to the agent that uses it, or that agent alone if it acts for itself. */
function firstHops(token: DelegationClaims | undefined, user: ActingAgent): Chain {
  const { id, capabilities } = user;
  const key = user.keyId === undefined ? {} : { keyId: user.keyId };
  if (token === undefined) return [{ id, type: 'agent', proof: 'signature', ...key, scope: capabilities }];
  const { issuer, expiresAt, ancestors, authorizationDetails } = token;
  const asserted = { proof: 'issuer', issuer, expiresAt, scope: grantOf(token).scope ?? capabilities } as const;
  const reached = {
    id,
    type: 'agent',
    ...key,
    ...asserted,
    ...(token.id !== undefined && { delegationId: token.id }),
    ...(ancestors !== undefined && { ancestors }),
    ...(authorizationDetails !== undefined && { authorizationDetails }),
  } as const;
  if (token.actor === undefined) return [{ ...reached, proof: user.keyId === undefined ? 'issuer' : 'signature' }];
  const before = token.priorActors.map((prior): Hop => ({ id: prior.subject, type: 'agent', ...asserted }));
  return [{ id: token.subject, type: token.subjectType ?? 'user', ...asserted }, ...before.toReversed(), reached];
}

/** `user` is the agent that uses the link: it signed the next one or, after the last, the request. */
function checkLink(
  { claims, delegator }: VerifiedLink,
  parent: Parent | undefined,
  user: ActingAgent,
  match: ScopeMatch | undefined,
): ChainRefusal | undefined {
  if (claims.issuer !== delegator.id) return refuse('link_signer_mismatch');
  if (!handsOn(claims, parent)) return refuse('link_parent_mismatch');
  if (claims.subject !== user.id) return refuse('link_delegate_mismatch');
  if (claims.confirmation !== undefined && claims.confirmation.jkt !== user.keyId) {
    return refuse('link_confirmation_mismatch');
  }
  return parent === undefined ? undefined : checkNarrowing(parent.grant, claims, match);
}

/** A link without a parent hash must not follow a parent: it would grant rights that its delegator never received. */
function handsOn({ parentHash }: LinkClaims, parent: Parent | undefined): boolean {
  return parent === undefined ? parentHash === undefined : parentHash !== undefined && parentHash === parent.hash;
}

function linkedHop(claims: LinkClaims, { keyId }: ActingAgent): Hop {
  const { subject, id, scope, expiresAt, authorizationDetails } = claims;
  return {
    id: subject,
    type: 'agent',
    proof: 'signature',
    ...(keyId !== undefined && { keyId }),
    delegationId: id,
    scope,
    expiresAt,
    ...(authorizationDetails !== undefined && { authorizationDetails }),
  };
}
