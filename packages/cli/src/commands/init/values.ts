import { isNode, type SyntaxNode } from './syntax.js';

export const wrappers: RegExp =
  /^(?:TS(?:As|NonNull|Satisfies)Expression|TSTypeAssertion|ParenthesizedExpression|AwaitExpression)$/;
/** What is no value at all: a permit names nothing then, too, and is refused. */
const nothing = /^(?:undefined|null|NaN|false|''|"")$/;

/** Whether a value is nothing, or made of the same text as another. */
export function isSameOrNothing(value: unknown, other: unknown, text: string): boolean {
  return !isNode(value) || nothing.test(textOf(value, text)) || sourceOf(value, text) === sourceOf(other, text);
}

/** What an expression is a conversion of: `id` of `Number(id)`. */
function sourceOf(node: unknown, text: string): string {
  if (!isNode(node)) return '';
  const { argument, expression, callee, arguments: given } = node;
  if (wrappers.test(node.type) || node['operator'] === '+') return sourceOf(expression ?? argument, text);
  const isConversion = /^(?:String|Number|BigInt|(?:Number\.)?parse(?:Int|Float))$/.test(textOf(callee, text));
  return isConversion && Array.isArray(given) ? sourceOf(given[0], text) : textOf(node, text);
}

export function isConstant(node: unknown): node is SyntaxNode {
  if (!isNode(node)) return false;
  if (node.type === 'UnaryExpression') return isConstant(node['argument']);
  const isName = node.type === 'Identifier' && /^(?:undefined|NaN|Infinity)$/.test(String(node['name']));
  return isName || /^(?:String|Numeric|BigInt|Boolean|Null)Literal$/.test(node.type);
}

export function textOf(node: unknown, text: string): string {
  return isNode(node) ? text.slice(node.start, node.end) : '';
}
