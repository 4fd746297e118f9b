import { type AuthorizationDetail, detailsNarrow } from './authorization-details.js';
import type { DelegationClaims } from './claims.js';
import { type DelegationRefusal, type NarrowingRefusalCode, refuse } from './refusal.js';
import { coveredScopes, type Scope, type ScopeMatch } from './scope.js';

/** The part of a token or link that limits its children. */
export interface Grant {
  readonly scope: Scope;
  /** Unix seconds. */
  readonly expiresAt: number;
  readonly audience: readonly string[];
  /** Absent: not limited. */
  readonly authorizationDetails?: readonly AuthorizationDetail[];
  /** The number of further delegations allowed; absent: not limited. */
  readonly maxHops?: number;
}

/** The grant of a parent. A token without a scope does not limit its children's scope. */
export type ParentGrant = Omit<Grant, 'scope'> & Partial<Pick<Grant, 'scope'>>;

/** The grant of a token. Without a scope, a token about the agent itself grants all its capabilities, one with an actor nothing. */
export function grantOf({ scope, ...token }: DelegationClaims): ParentGrant {
  return token.actor === undefined && scope.length === 0 ? token : { ...token, scope };
}

/** Returns the refusal code of the first limit that the child exceeds. */
export function checkNarrowing(
  parent: ParentGrant,
  child: Grant,
  match?: ScopeMatch,
): DelegationRefusal<NarrowingRefusalCode> | undefined {
  const hopsLeft = parent.maxHops ?? Infinity;
  if (hopsLeft < 1) return refuse('redelegation_forbidden');
  if (child.maxHops !== undefined && child.maxHops >= hopsLeft) return refuse('max_hops_wider');
  const held = parent.scope;
  if (held !== undefined && coveredScopes(held, child.scope, match).length < child.scope.length) {
    return refuse('scope_wider');
  }
  if (child.expiresAt > parent.expiresAt) return refuse('expiry_wider');
  if (!child.audience.every((audience) => parent.audience.includes(audience))) return refuse('audience_wider');
  const { authorizationDetails: wide } = parent;
  const { authorizationDetails: details } = child;
  return wide !== undefined && details !== undefined && !detailsNarrow(details, wide)
    ? refuse('authorization_details_wider')
    : undefined;
}

/** The child with the limits that it inherits from its parent because it does not repeat them. */
export function inheritLimits(parent: ParentGrant, child: Grant): Grant {
  const { authorizationDetails = parent.authorizationDetails } = child;
  const maxHops = child.maxHops ?? (parent.maxHops === undefined ? undefined : parent.maxHops - 1);
  return {
    scope: child.scope,
    expiresAt: child.expiresAt,
    audience: child.audience,
    ...(authorizationDetails !== undefined && { authorizationDetails }),
    ...(maxHops !== undefined && { maxHops }),
  };
}
