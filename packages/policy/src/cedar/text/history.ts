import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';
import { type Facts, onlyForbids, operationOf, type Operands, pathInContext, readerOf, type Trend } from './trend.js';

/** Attributes of `context` that tell of the agents before the actor. */
const HISTORY: ReadonlySet<unknown> = new Set(['via', 'depth']);

/** Trends of operators whose left operand, or only one, is the history. Both attributes can only grow. */
const TRENDS_ON_LEFT: ReadonlyMap<string, Trend> = new Map<string, Trend>([
  ['>', 1],
  ['>=', 1],
  ['contains', 1],
  ['containsAny', 1],
  ['containsAll', 1],
  ['<', -1],
  ['<=', -1],
  ['isEmpty', -1],
]);

/** The same with the history as right operand. */
const TRENDS_ON_RIGHT: ReadonlyMap<string, Trend> = new Map<string, Trend>([
  ['<', 1],
  ['<=', 1],
  ['containsAny', 1],
  ['>', -1],
  ['>=', -1],
  ['containsAll', -1],
]);

const reads = readerOf(HISTORY);
const readsVia = readerOf(new Set(['via']));

export const history: Facts = { reads, trendOf };

/**
 * Whether a request could be permitted because of its history, `context.via` or `context.depth`. Prior actors are
 * informational (RFC 8693 §4.1): more history may only make a policy forbid. So a permit must not read `via`, and every
 * other condition must change in one direction. A use of `context` as a whole could reach `via`, and counts as reading it.
 */
export function historyCouldPermit(policy: PolicyJson): boolean {
  if (policy.effect === 'permit' && readsVia(policy.conditions)) return true;
  return !onlyForbids(policy, history);
}

function trendOf(operator: string, { left, right, arg }: Operands): Trend | undefined {
  if (isHistory(right)) return reads(left) ? undefined : TRENDS_ON_RIGHT.get(operator);
  if (!isHistory(arg ?? left) || reads(right)) return undefined;
  return operator === '==' && isZero(right) ? -1 : TRENDS_ON_LEFT.get(operator);
}

function isHistory(node: unknown): boolean {
  const [operator, operands] = operationOf(node);
  return operator === '.' && HISTORY.has(pathInContext(operands)?.[0]);
}

/** `depth` is never negative, so that `depth == 0` is `depth <= 0`. */
function isZero(node: unknown): boolean {
  return typeof node === 'object' && node !== null && 'Value' in node && node.Value === 0;
}
