import type { AuthorizationDetail, AuthorizationDetailLists } from './authorization-details.js';
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
