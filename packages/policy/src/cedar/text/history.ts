import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';

/** 1: more history can only make the expression truer. -1: it can only make it falser. */
type Trend = 1 | -1;

type Operands = Readonly<Record<string, unknown>>;

/** Attributes of `context` that tell of the agents before the actor. */
const HISTORY: ReadonlySet<string> = new Set(['via', 'depth']);

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

/**
 * Whether a request could be permitted because of its history, `context.via` or `context.depth`. Prior actors are
 * informational (RFC 8693 §4.1): more history may only make a policy forbid. So a permit must not read `via`, and every
 * other condition must change in one direction. A use of `context` as a whole could reach `via`, and counts as reading it.
 */
export function historyCouldPermit({ effect, conditions }: PolicyJson): boolean {
  if (effect === 'permit' && reads(conditions, 'via')) return true;
  return conditions.some(({ kind, body }) => !follows(body, (effect === 'forbid') === (kind === 'when') ? 1 : -1));
}

/**
 * Whether the text of a policy's clauses might read the history: `context` occurs without the name of another attribute
 * behind it. The caller then checks the syntax tree. Comments and escapes count as a possible read.
 */
export function mightReadHistory(clauses: string): boolean {
  return /\bcontext\b(?!\s*(?:\.\s*|has\s+)(?!(?:via|depth)\b)[A-Za-z_])/.test(clauses);
}

/** Whether more history can change a condition in this direction only. Unknown operators count as changing in both. */
function follows(node: unknown, trend: Trend): boolean {
  if (!reads(node)) return true;
  const [operator, operands] = operationOf(node);
  switch (operator) {
    case '!':
      return follows(operands['arg'], trend === 1 ? -1 : 1);
    case '&&':
    case '||':
      return follows(operands['left'], trend) && follows(operands['right'], trend);
    case 'if-then-else':
      return !reads(operands['if']) && follows(operands['then'], trend) && follows(operands['else'], trend);
    default:
      return trendOf(operator, operands) === trend;
  }
}

function trendOf(operator: string, { left, right, arg }: Operands): Trend | undefined {
  if (isHistory(right)) return reads(left) ? undefined : TRENDS_ON_RIGHT.get(operator);
  if (!isHistory(arg ?? left) || reads(right)) return undefined;
  return operator === '==' && isZero(right) ? -1 : TRENDS_ON_LEFT.get(operator);
}

/** Recursion is bounded, as the depth of the text was checked. */
function reads(node: unknown, attribute?: string): boolean {
  if (typeof node !== 'object' || node === null) return false;
  if (isContext(node)) return true;
  return Object.entries(node).some(([operator, operand]) => {
    const found = operator === '.' || operator === 'has' ? attributeOfContext(operand) : undefined;
    if (found === undefined) return reads(operand, attribute);
    return attribute === undefined ? HISTORY.has(found) : found === attribute;
  });
}

function isHistory(node: unknown): boolean {
  const [operator, operands] = operationOf(node);
  return operator === '.' && HISTORY.has(attributeOfContext(operands) ?? '');
}

/** `depth` is never negative, so that `depth == 0` is `depth <= 0`. */
function isZero(node: unknown): boolean {
  return typeof node === 'object' && node !== null && 'Value' in node && node.Value === 0;
}

/** The JSON of an operation is `{ [operator]: operands }`. */
function operationOf(node: unknown): readonly [string, Operands] {
  const [entry] = typeof node === 'object' && node !== null ? Object.entries(node) : [];
  return [entry?.[0] ?? '', (entry?.[1] ?? {}) as Operands];
}

/** The JSON of `context.x` and `context has x` is `{ left: { Var: 'context' }, attr: 'x' }`; of `has x.y`, a list. */
function attributeOfContext(operand: unknown): string | undefined {
  if (typeof operand !== 'object' || operand === null || !('left' in operand) || !('attr' in operand)) return undefined;
  if (!isContext(operand.left)) return undefined;
  const attribute: unknown = Array.isArray(operand.attr) ? operand.attr[0] : operand.attr;
  return typeof attribute === 'string' ? attribute : undefined;
}

function isContext(node: unknown): boolean {
  return typeof node === 'object' && node !== null && 'Var' in node && node.Var === 'context';
}
