import type { Bindings } from './bindings.js';
import { hasWord } from './results.js';
import { isNode, keyOf, type NestedNode, type SyntaxNode } from './syntax.js';
import { textOf, wrappers } from './values.js';

type DeclarationOf = Bindings['declarationOf'];

/** SQL for which `%` is an id of all rows. */
const likes = /\s(?:i?like|rlike|regexp|glob|similar\s{1,9}to)\s{0,9}(?:[?$:@'"(]|concat\b|lower\b|upper\b)/i;

/** A constant id for which a handler does something else, as `['all'].includes(id)` and `switch (id)` ask. */
export function specialIdOf(value: NestedNode, declarationOf: DeclarationOf, text: string): string | undefined {
  const { node, parent } = value;
  if (parent === undefined) return undefined;
  const { type, discriminant, callee, object, property, cases } = parent.node;
  if (wrappers.test(type)) return specialIdOf(parent, declarationOf, text);
  if (discriminant === node) return firstText((cases as readonly SyntaxNode[]).map(({ test }) => test));
  if (isNode(callee) && callee !== node && /^(?:includes|has|indexOf)$/.test(keyOf(callee) ?? '')) {
    return constantIn(callee['object'], declarationOf);
  }
  // A cache has no constant, and falls back to the same id, too.
  const isFallback = property === node && isReplacedBy(parent, textOf(node, text), text);
  return isFallback ? constantIn(object, declarationOf) : undefined;
}

/** Whether the other branch of a choice has a value: `special[id] ?? find(id)`. */
function isReplacedBy({ node, parent }: NestedNode, value: string, text: string): boolean {
  const { operator, left, right, test, consequent, alternate } = parent?.node ?? node;
  const isLeft = left === node && /^(?:\?\?|\|\|)$/.test(String(operator));
  const others = isLeft ? [right] : test === node ? [consequent, alternate] : [];
  return others.some((other) => hasWord(textOf(other, text), value));
}

/** More than a constant has: `new Set(names)`. */
const mostSteps = 8;

/** The first text of a list or set, or the first key of an object. */
function constantIn(node: unknown, declarationOf: DeclarationOf, steps = mostSteps): string | undefined {
  if (!isNode(node) || steps === 0) return undefined;
  const { elements, properties, arguments: given } = node;
  if (Array.isArray(elements)) return firstText(elements);
  if (Array.isArray(properties)) {
    return (properties as readonly SyntaxNode[]).map(keyOf).find((key) => key !== undefined);
  }
  if (node.type === 'NewExpression') return constantIn((given as readonly unknown[])[0], declarationOf, steps - 1);
  const by = node.type === 'Identifier' ? declarationOf(node)?.by.node : undefined;
  const init = isNode(by) ? by['init'] : undefined;
  return isNode(init) && init.type !== 'Identifier' ? constantIn(init, declarationOf, steps - 1) : undefined;
}

function firstText(nodes: readonly unknown[]): string | undefined {
  const found = nodes.find((each) => isNode(each) && each.type === 'StringLiteral');
  return isNode(found) ? String(found['value']) : undefined;
}

/** Whether the SQL that a call gets looks for a pattern. */
export function hasPattern({ node }: NestedNode, declarationOf: DeclarationOf, text: string): boolean {
  return (node['arguments'] as readonly SyntaxNode[]).some((each) => {
    const by = each.type === 'Identifier' ? declarationOf(each)?.by.node : undefined;
    return likes.test(textOf(by?.type === 'VariableDeclarator' ? by['init'] : each, text));
  });
}
