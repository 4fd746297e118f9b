import type { Ancestor } from './ancestors.js';
import type { AuthorizationDetail, AuthorizationDetailLists } from './authorization-details.js';
import { intersectScopes, minimalScope, type Scope, type ScopeMatch } from './scope.js';

/** One member of a chain, and the delegation by which it was reached. */
export interface Hop {
  readonly id: string;
  readonly type: 'user' | 'agent';
  /**
   * `issuer`: a trusted token issuer asserts the hop. `signature`: its own key, or the key of the hop before, proves it.
   * `local`: the application states it.
   */
  readonly proof: 'issuer' | 'signature' | 'local';
  /** Issuer of the token that names this hop; user ids and delegation ids are unique only together with it. */
  readonly issuer?: string;
  /** RFC 7638 thumbprint of the key of this hop. The actor signs the request with it; a delegator signs the next link. */
  readonly keyId?: string;
  /** `jti` of the delegation to this hop. */
  readonly delegationId?: string;
  /** What that delegation was made from by exchange, most recent first, as its issuer says. Revoking any ends the chain. */
  readonly ancestors?: readonly Ancestor[];
  /** The scope delegated to this hop, before the other hops narrow it. */
  readonly scope: Scope;
  /** Unix seconds. */
  readonly expiresAt?: number;
  /** `authorization_details` of the delegation to this hop (RFC 9396). */
  readonly authorizationDetails?: readonly AuthorizationDetail[];
}

/** The verified hops from subject to actor, in order. */
export type Chain = readonly [Hop, ...Hop[]];

/** An agent whose key signed the request or a link. The calling program has verified that signature. */
export interface ActingAgent {
  readonly id: string;
  /** RFC 7638 thumbprint of the key that signed. Absent for a client that showed a bearer token and proved no key. */
  readonly keyId?: string;
  /** The scopes that this agent may ever use. */
  readonly capabilities: Scope;
}

/** A chain and its effective scope: the intersection of every hop and of the capabilities of every signer. Frozen. */
export interface DelegatedChain {
  readonly ok: true;
  readonly chain: Chain;
  readonly effectiveScope: Scope;
  /** The list of each hop that has one, in order. A request must be covered in every list: see `detailsCover`. */
  readonly authorizationDetails?: AuthorizationDetailLists;
}

/** The scope of a chain is the intersection of the hops' scopes and the capabilities. */
export function effectiveScope(chain: Chain, capabilities: Scope, match?: ScopeMatch): Scope {
  return chain.reduce((scope, hop) => intersectScopes(scope, hop.scope, match), minimalScope(capabilities, match));
}

/** Assembles a chain. `signers` has every agent that signed: an agent cannot delegate a right that it does not have. */
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
