import type { Expr, PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';

/** 1: more of a fact can only make an expression truer. -1: it can only make it falser. */
export type Trend = 1 | -1;

/** The operands of one operation in Cedar's JSON. */
export type Operands = Readonly<Record<string, unknown>>;

/** Facts of a request that change in one direction only, such as a chain that grows. */
export interface Facts {
  /** Whether an expression reads one of them. */
  reads(node: unknown): boolean;
  /** How an operation on one of them changes; undefined if in both directions, or in an unknown one. */
  trendOf(operator: string, operands: Operands): Trend | undefined;
}

/**
 * Whether an expression reads one of these attributes of `context`, or `context` as a whole, through which each could be
 * reached. Remembers the answer of each node, as callers ask about a tree again at each of its levels.
 */
export function readerOf(attributes: ReadonlySet<unknown>): (node: unknown) => boolean {
  const known = new WeakMap<object, boolean>();
  const isRead = ([operator, operand]: [string, unknown]): boolean => {
    const path = operator === '.' || operator === 'has' ? pathInContext(operand) : undefined;
    return path === undefined ? reads(operand) : attributes.has(path[0]);
  };
  const reads = (node: unknown): boolean => {
    if (typeof node !== 'object' || node === null) return false;
    const found = known.get(node) ?? (isContext(node) || Object.entries(node).some(isRead));
    known.set(node, found);
    return found;
  };
  return reads;
}

/** All clauses of a policy as one expression, which Cedar evaluates in this order. */
export function conditionOf({ conditions }: PolicyJson): Expr {
  return conditions
    .map(({ kind, body }): Expr => (kind === 'when' ? body : { '!': { arg: body } }))
    .reduce((left, right) => ({ '&&': { left, right } }), { Value: true });
}

/** Whether more of the facts cannot make a policy permit: a forbid can only get truer, a permit only falser. */
export function onlyForbids(policy: PolicyJson, facts: Facts): boolean {
  return follows(conditionOf(policy), policy.effect === 'forbid' ? 1 : -1, facts);
}

/** Whether more of the facts can change an expression in this direction only. Recursion is bounded, as the text's depth was. */
export function follows(node: unknown, trend: Trend, facts: Facts): boolean {
  if (!facts.reads(node)) return true;
  const [operator, operands] = operationOf(node);
  switch (operator) {
    case '!':
      return follows(operands['arg'], opposite(trend), facts);
    case '&&':
    case '||':
      return follows(operands['left'], trend, facts) && follows(operands['right'], trend, facts);
    case 'if-then-else':
      return branchesFollow(operands, trend, facts);
    default:
      return facts.trendOf(operator, operands) === trend;
  }
}

/** Where the facts decide the branch, the change from one branch to the other must go in the direction, too. */
function branchesFollow({ if: test, then, else: otherwise }: Operands, trend: Trend, facts: Facts): boolean {
  if (!follows(then, trend, facts) || !follows(otherwise, trend, facts)) return false;
  if (!facts.reads(test)) return true;
  const rises = follows(test, 1, facts);
  if (!rises && !follows(test, -1, facts)) return false;
  const [before, after] = rises ? [otherwise, then] : [then, otherwise];
  return isLiteral(before, trend === -1) || isLiteral(after, trend === 1);
}

function opposite(trend: Trend): Trend {
  return trend === 1 ? -1 : 1;
}

export function isLiteral(node: unknown, value: boolean): boolean {
  return typeof node === 'object' && node !== null && 'Value' in node && node.Value === value;
}

/** The JSON of an operation is `{ [operator]: operands }`. */
export function operationOf(node: unknown): readonly [string, Operands] {
  const [entry] = typeof node === 'object' && node !== null ? Object.entries(node) : [];
  return [entry?.[0] ?? '', (entry?.[1] ?? {}) as Operands];
}

/** The names in `context.x` and `context has x`, whose JSON is `{ left: { Var: 'context' }, attr: 'x' }`, and in `has x.y`. */
export function pathInContext(operand: unknown): readonly unknown[] | undefined {
  if (typeof operand !== 'object' || operand === null || !('left' in operand) || !('attr' in operand)) return undefined;
  return isContext(operand.left) ? [operand.attr].flat() : undefined;
}

/** Whether it is `context` itself, through which everything could be reached. */
export function isContext(node: unknown): boolean {
  return typeof node === 'object' && node !== null && 'Var' in node && node.Var === 'context';
}

/**
 * Whether the text of a policy's clauses might read facts that change in one direction: `context` occurs without the name
 * of another attribute behind it. The caller then checks the syntax tree. Comments and escapes count as a possible read.
 */
export function mightReadLimits(clauses: string): boolean {
  return /\bcontext\b(?!\s*(?:\.\s*|has\s+)(?!(?:via|depth|authorizationDetails)\b)[A-Za-z_])/.test(clauses);
}
