import { DETAIL_MEMBERS } from './authorization-details.js';
import { DelegationError } from './error.js';
import { isJsonObject } from './json.js';
import { formatScope, type Scope } from './scope.js';
import { spellingHint, undefinedHint } from './spelling-hint.js';

const MAX_LIFETIME_SECONDS = 24 * 60 * 60;
const YEAR_5138_SECONDS = 1e11;

/** Options of which every value limits more than none does, or keeps the limits of another token. */
const restrictive: ReadonlySet<string> = new Set([
  'scopeMatch',
  'agentKeyThumbprint',
  'agentPublicKey',
  'delegateKeyThumbprint',
  'authorizationDetails',
  'maxHops',
  'statusReference',
  'previous',
  'parent',
]);

/** A misspelt option, or one whose value is a misspelt constant, would mint a delegation with fewer limits than intended. */
export function refuseUnknownOptions(options: object, known: object): void {
  refuseUnknownNames({ one: 'option', many: 'options' }, Object.keys(options), Object.keys(known));
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined && restrictive.has(name))
      throw new DelegationError('option_undefined', undefinedHint(name));
  }
}

/** A detail with an unknown member covers no request; report it here, to the program that misspelt it. */
export function refuseUnknownMembers(details: unknown): void {
  if (!Array.isArray(details)) return; // the parser reports it
  for (const detail of details.filter(isJsonObject)) {
    refuseUnknownNames(detailMember, Object.keys(detail), DETAIL_MEMBERS);
    const missing = Object.keys(detail).find((name) => detail[name] === undefined);
    if (missing !== undefined) throw new DelegationError('option_undefined', undefinedHint(missing));
  }
}

const detailMember = { one: 'member of authorizationDetails', many: 'members' };

function refuseUnknownNames(
  { one, many }: typeof detailMember,
  names: readonly string[],
  known: readonly string[],
): void {
  const unknown = names.find((name) => !known.includes(name));
  if (unknown === undefined) return;
  throw new DelegationError('option_unknown', `unknown ${one} '${unknown}'. ${spellingHint(unknown, known, many)}`);
}

/** Joining would turn the one member 'a b' into two scopes; the parser refuses the array instead. */
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
    throw new DelegationError('times_invalid', 'now must be whole unix seconds: milliseconds / 1000, rounded down');
  }
  if (!Number.isInteger(lifetimeSeconds) || lifetimeSeconds <= 0 || lifetimeSeconds > MAX_LIFETIME_SECONDS) {
    throw new DelegationError('lifetime_invalid', `lifetimeSeconds must be whole, 1 to ${MAX_LIFETIME_SECONDS}`);
  }
  return { iat: now, exp: now + lifetimeSeconds };
}
