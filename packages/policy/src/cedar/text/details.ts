import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';
import { fallibleReads } from './fallible-reads.js';
import { type Facts, onlyForbids, operationOf, type Operands, pathInContext, readerOf, type Trend } from './trend.js';

const DETAILS = 'authorizationDetails';

/** Trends of operators whose left operand is a set of the details. A set can only come, and then shrink. */
const TRENDS_ON_LEFT: ReadonlyMap<string, Trend> = new Map<string, Trend>([
  ['contains', -1],
  ['containsAny', -1],
  ['containsAll', -1],
]);

const TRENDS_ON_RIGHT: ReadonlyMap<string, Trend> = new Map<string, Trend>([
  ['containsAny', -1],
  ['containsAll', 1],
]);

const reads = readerOf(new Set([DETAILS]));

export const details: Facts = { reads, trendOf };

/**
 * Whether a request could be permitted because its delegation is limited in more detail, by `context.authorizationDetails`.
 * Each agent of a chain may add details to what it hands on, and to its own token: they limit, and never grant. So
 * further limits may only make a policy forbid. A read that fails where a detail is absent counts, too.
 */
export function detailsCouldPermit(policy: PolicyJson): boolean {
  if (!reads(policy.conditions)) return false;
  return (
    fallibleReads(policy, false).some((path) => path.startsWith(`context.${DETAILS}`)) || !onlyForbids(policy, details)
  );
}

function trendOf(operator: string, operands: Operands): Trend | undefined {
  const { left, right } = operands;
  if (operator === 'has') return isPresence(operands) ? 1 : undefined;
  if (isSet(right)) return reads(left) ? undefined : TRENDS_ON_RIGHT.get(operator);
  return isSet(left) && !reads(right) ? TRENDS_ON_LEFT.get(operator) : undefined;
}

/** `context has authorizationDetails`, `context has authorizationDetails.x`, `context.authorizationDetails has x`. */
function isPresence({ left, attr }: Operands): boolean {
  const path = pathInContext({ left, attr });
  return path === undefined ? isDetails(left) && [attr].flat().length === 1 : path.length <= 2;
}

/** `context.authorizationDetails.x` */
function isSet(node: unknown): boolean {
  const [operator, { left }] = operationOf(node);
  return operator === '.' && isDetails(left);
}

/** `context.authorizationDetails` */
function isDetails(node: unknown): boolean {
  const [operator, operands] = operationOf(node);
  return operator === '.' && pathInContext(operands)?.[0] === DETAILS;
}
