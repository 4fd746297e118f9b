import type { DelegationClaims } from './claims.js';
import { DelegationError } from './error.js';
import { type AudienceRefusalCode, type DelegationRefusal, refuse, type TimesRefusalCode } from './refusal.js';

/** The clock and its tolerances. */
export interface TimesOptions {
  /** Unix seconds; fractions allowed. */
  readonly now: number;
  /** How far the issuer's clock may be from ours, in seconds. */
  readonly clockSkewSeconds: number;
  /** The longest lifetime (`exp` - `iat`) accepted, in seconds. */
  readonly maxLifetimeSeconds: number;
}

/**
 * Checks `exp`, `nbf` and `iat`. A token without `iat` may not outlive `now` by more than the maximum.
 *
 * @throws DelegationError when an option is not a number: a comparison with NaN would let every token through.
 */
export function checkTimes(
  claims: Pick<DelegationClaims, 'expiresAt' | 'issuedAt' | 'notBefore'>,
  options: TimesOptions,
): DelegationRefusal<TimesRefusalCode> | undefined {
  const { now, clockSkewSeconds, maxLifetimeSeconds } = options;
  for (const seconds of [now, clockSkewSeconds, maxLifetimeSeconds]) {
    if (!Number.isFinite(seconds) || seconds < 0) {
      throw new DelegationError('times_invalid', 'now, clockSkewSeconds and maxLifetimeSeconds must be seconds ≥ 0');
    }
  }
  const { expiresAt, issuedAt, notBefore } = claims;
  if (now >= expiresAt + clockSkewSeconds) return refuse('token_expired');
  if (notBefore !== undefined && notBefore > now + clockSkewSeconds) return refuse('token_not_yet_valid');
  if (issuedAt !== undefined && issuedAt > now + clockSkewSeconds) return refuse('token_issued_in_future');
  if (expiresAt - (issuedAt ?? now) > maxLifetimeSeconds) return refuse('token_lifetime_too_long');
  return undefined;
}

/**
 * Checks `aud`: one of its values must be one of the accepted ones, character for character (RFC 7519 §4.1.3). No
 * prefix, no case folding and no trailing slash is tolerated.
 */
export function checkAudience(
  claims: Pick<DelegationClaims, 'audience'>,
  accepted: readonly string[],
): DelegationRefusal<AudienceRefusalCode> | undefined {
  return claims.audience.some((audience) => accepted.includes(audience)) ? undefined : refuse('audience_mismatch');
}
