import type { AreOfPath } from './made-of-path.js';
import { isNode, type NestedNode, nodesWithin, type SyntaxNode } from './syntax.js';
import { wrappers } from './values.js';

/**
 * Whether a `/` stands between all parameters of the path that a text or sum joins, as in the id of a permit. By any other
 * sign two ids name one row: `a-b` and `c`, `a` and `b-c`.
 */
export function hasSlashes({ node }: NestedNode, nodes: readonly NestedNode[], areOfPath: AreOfPath): boolean {
  let isBehindParameter = false;
  for (const piece of piecesOf(node)) {
    if (typeof piece === 'string') {
      if (piece.includes('/')) isBehindParameter = false;
    } else if (areOfPath(nodesWithin(nodes, piece))) {
      if (isBehindParameter) return false;
      isBehindParameter = true;
    }
  }
  return true;
}

/** The parts of a text or sum, in their order. */
function piecesOf(node: SyntaxNode): readonly (string | SyntaxNode)[] {
  const { type, value, left, right, operator, quasis, expressions, expression } = node;
  if (type === 'StringLiteral') return [String(value)];
  if (type === 'BinaryExpression' && operator === '+') return [left, right].filter(isNode).flatMap(piecesOf);
  if (wrappers.test(type) && isNode(expression)) return piecesOf(expression);
  if (type !== 'TemplateLiteral') return [node];
  const values = expressions as readonly SyntaxNode[];
  return (quasis as readonly SyntaxNode[]).flatMap((quasi, index) => {
    const { raw } = quasi['value'] as { readonly raw: string };
    const next = values[index];
    return next === undefined ? [raw] : [raw, ...piecesOf(next)];
  });
}
