import type { AuthorizationDetail, AuthorizationDetailLists } from './authorization-details.js';
import type { DelegationClaims } from './claims.js';
import { type DelegationRefusal, refuse } from './refusal.js';
import { intersectScopes, minimalScope, type Scope, type ScopeMatch } from './scope.js';

/** One member of a chain, and the delegation by which it was reached. */
export interface Hop {
  readonly id: string;
  readonly type: 'user' | 'agent';
  /** `issuer`: asserted by a trusted token issuer. `signature`: proved by a key of its own or of the hop before. */
  readonly proof: 'issuer' | 'signature';
  /** Issuer of the token that names this hop; user ids and delegation ids are unique only together with it. */
  readonly issuer?: string;
  /** RFC 7638 thumbprint of the key with which this hop signed: the actor the request, a delegator the next link. */
  readonly keyId?: string;
  /** `jti` of the delegation by which this hop was reached. */
  readonly delegationId?: string;
  /** What this hop was given, before the scopes of the other hops narrow it. */
  readonly scope: Scope;
  /** Unix seconds. */
  readonly expiresAt?: number;
  /** The limits of the delegation by which this hop was reached (RFC 9396). */
  readonly authorizationDetails?: readonly AuthorizationDetail[];
}

/** The verified hops from subject to actor, in order. */
export type Chain = readonly [Hop, ...Hop[]];

/** An agent whose key signed the request or a link, as the caller of this package has established. */
export interface ActingAgent {
  readonly id: string;
  /** RFC 7638 thumbprint of the key that signed. */
  readonly keyId: string;
  /** The scopes that this agent may ever use. */
  readonly capabilities: Scope;
}

/** A chain and what it allows: the intersection of every hop and of the capabilities of all that signed. Frozen. */
export interface DelegatedChain {
  readonly ok: true;
  readonly chain: Chain;
  readonly effectiveScope: Scope;
  /** The list of each hop that has one, in order. A request must be covered in every list: see `detailsCover`. */
  readonly authorizationDetails?: AuthorizationDetailLists;
}

/** The law: the scope of a chain is what every hop and the capabilities allow. */
export function effectiveScope(chain: Chain, capabilities: Scope, match?: ScopeMatch): Scope {
  return chain.reduce((scope, hop) => intersectScopes(scope, hop.scope, match), minimalScope(capabilities, match));
}

/** The chain of an agent that acts for itself, with no token. */
export function direct(agent: ActingAgent): DelegatedChain {
  const { id, keyId, capabilities } = agent;
  return buildChain([{ id, type: 'agent', proof: 'signature', keyId, scope: capabilities }], [agent]);
}

/**
 * The chain that a verified token of a trusted issuer gives to the agent that signed the request. With an actor:
 * `[subject, agent]`. Without one the token must be about the agent itself, and can only narrow what it may do: `[agent]`.
 *
 * @example
 * const acting = issuerAsserted({ claims, agent: { id: 'agent-1', keyId, capabilities: ['pr:write'] } });
 * if (acting.ok) acting.chain.map((hop) => hop.id); // ['user_123', 'agent-1']
 */
export function issuerAsserted(options: {
  readonly claims: DelegationClaims;
  readonly agent: ActingAgent;
  /** What the subject of a delegated token is. Default: `user`. */
  readonly subjectType?: Hop['type'];
}): DelegatedChain | DelegationRefusal<'actor_missing' | 'actor_mismatch' | 'confirmation_mismatch'> {
  const { claims, agent, subjectType = 'user' } = options;
  if (claims.confirmation !== undefined && claims.confirmation.jkt !== agent.keyId) {
    return refuse('confirmation_mismatch');
  }
  const token = { issuer: claims.issuer, expiresAt: claims.expiresAt };
  const reached = {
    id: agent.id,
    type: 'agent',
    keyId: agent.keyId,
    ...token,
    ...(claims.id !== undefined && { delegationId: claims.id }),
  } as const;

  if (claims.actor === undefined) {
    // A user's plain token in the hands of an agent is no delegation, even where may_act would allow one.
    if (claims.subject !== agent.id) return refuse('actor_missing');
    const scope = claims.scope.length > 0 ? claims.scope : agent.capabilities;
    return buildChain([{ ...reached, proof: 'signature', scope }], [agent]);
  }
  if (claims.actor.subject !== agent.id || claims.priorActors.length > 0) return refuse('actor_mismatch');
  const { scope } = claims;
  return buildChain(
    [
      { id: claims.subject, type: subjectType, proof: 'issuer', ...token, scope },
      { ...reached, proof: 'issuer', scope },
    ],
    [agent],
  );
}

/** Puts hops together. `signers` are all agents that signed something: nobody can hand on what it may not do itself. */
export function buildChain(
  hops: Chain,
  signers: readonly [ActingAgent, ...ActingAgent[]],
  match?: ScopeMatch,
): DelegatedChain {
  const [first, ...rest] = hops;
  const chain: Chain = Object.freeze([freezeHop(first), ...rest.map(freezeHop)] as const);
  const capabilities = signers
    .map((signer) => signer.capabilities)
    .reduce((scope, held) => intersectScopes(scope, held, match));
  const lists = chain.flatMap((hop) => (hop.authorizationDetails === undefined ? [] : [hop.authorizationDetails]));
  return Object.freeze({
    ok: true,
    chain,
    effectiveScope: Object.freeze(effectiveScope(chain, capabilities, match)),
    ...(lists.length > 0 && { authorizationDetails: Object.freeze(lists) }),
  });
}

function freezeHop(hop: Hop): Hop {
  return Object.freeze({ ...hop, scope: Object.freeze([...hop.scope]) });
}
