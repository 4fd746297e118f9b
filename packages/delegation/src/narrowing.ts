import { type AuthorizationDetail, detailsNarrow } from './authorization-details.js';
import type { DelegationClaims } from './claims.js';
import { type DelegationRefusal, type NarrowingRefusalCode, refuse } from './refusal.js';
import { type Scope, type ScopeMatch, scopeCovers } from './scope.js';

/** What a token or a link gives, as far as it is handed on. */
export interface Grant {
  readonly scope: Scope;
  /** Unix seconds. */
  readonly expiresAt: number;
  readonly audience: readonly string[];
  /** Absent: not limited. */
  readonly authorizationDetails?: readonly AuthorizationDetail[];
  /** How often it may be handed on from here; absent: not limited. */
  readonly maxHops?: number;
}

/** What the parent of a grant gives. A token that has no scope of its own does not limit it. */
export type ParentGrant = Omit<Grant, 'scope'> & Partial<Pick<Grant, 'scope'>>;

/** What a token gives. About an agent itself, no scope means whatever that agent may do; with an actor, nothing. */
export function grantOf({ scope, ...token }: DelegationClaims): ParentGrant {
  return token.actor === undefined && scope.length === 0 ? token : { ...token, scope };
}

/** The laws of handing on: which of them the child breaks, if any. */
export function checkNarrowing(
  parent: ParentGrant,
  child: Grant,
  match?: ScopeMatch,
): DelegationRefusal<NarrowingRefusalCode> | undefined {
  const hopsLeft = parent.maxHops ?? Infinity;
  if (hopsLeft < 1) return refuse('redelegation_forbidden');
  if (child.maxHops !== undefined && child.maxHops >= hopsLeft) return refuse('max_hops_wider');
  const held = parent.scope;
  if (held !== undefined && !child.scope.every((wanted) => scopeCovers(held, wanted, match))) {
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

/** The child, with the limits of its parent that it does not repeat: they hold all the same. */
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
