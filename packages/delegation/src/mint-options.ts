import { DelegationError } from './error.js';
import { formatScope, type Scope } from './scope.js';

const MAX_LIFETIME_SECONDS = 24 * 60 * 60;
const YEAR_5138_SECONDS = 1e11;

/** A misspelt option would mint something that is less limited than was meant. */
export function refuseUnknownOptions(options: object, known: object): void {
  for (const name of Object.keys(options)) {
    if (!Object.hasOwn(known, name)) throw new DelegationError('option_unknown', `unknown option: ${name}`);
  }
}

/** Joined unseen, the one member 'a b' would become two scopes; left as an array, the reader refuses it. */
export function toScopeClaim(scope: Scope | string): unknown {
  if (!Array.isArray(scope)) return scope;
  return scope.some((member) => String(member).includes(' ')) ? scope : formatScope(scope);
}

/** @throws DelegationError when a time is not in whole seconds, or the lifetime is longer than a day. */
export function toLifetime(options: { readonly now: number; readonly lifetimeSeconds: number }): {
  readonly iat: number;
  readonly exp: number;
} {
  const { now, lifetimeSeconds } = options;
  if (!Number.isInteger(now) || now < 0 || now > YEAR_5138_SECONDS) {
    throw new DelegationError('times_invalid', 'now must be whole unix seconds, not milliseconds');
  }
  if (!Number.isInteger(lifetimeSeconds) || lifetimeSeconds <= 0 || lifetimeSeconds > MAX_LIFETIME_SECONDS) {
    throw new DelegationError('lifetime_invalid', `lifetimeSeconds must be whole, 1 to ${MAX_LIFETIME_SECONDS}`);
  }
  return { iat: now, exp: now + lifetimeSeconds };
}
