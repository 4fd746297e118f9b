import type { Source } from './sources.js';
import { isNode, nodesIn, parsed, type SyntaxNode } from './syntax.js';

/** How a handler makes a number of a parameter of its path: code around the parameter. */
export type Conversion = (parameter: string) => string;

interface Found {
  readonly name: string;
  readonly at: number;
  readonly conversion: Conversion;
}

/**
 * What the handlers of a file convert: `Number(req.params.id)`, `+id`, `@Param('id', ParseIntPipe)`. Such handlers serve
 * `/users/2` also at `/users/02`, so a permit that names the text would name another resource than they use.
 */
export function conversionsIn(source: Source): readonly Found[] {
  const program = parsed(source);
  return program === undefined ? [] : nodesIn(program).flatMap(({ node }) => conversionOf(source, node));
}

const asNumber: Conversion = (parameter) => `Number(${parameter})`;
const functions = /^(?:Number\.)?(?:parseInt|parseFloat)$|^BigInt$/;

function conversionOf({ text }: Source, node: SyntaxNode): readonly Found[] {
  const found = (name: string | undefined, conversion: Conversion): readonly Found[] =>
    name === undefined ? [] : [{ name, at: node.start, conversion }];
  if (node.type === 'UnaryExpression' && node['operator'] === '+')
    return found(nameOf(node['argument'], text), asNumber);
  // `@Param('id') id: number`, which pipes and `transform: true` convert.
  const type = node.type === 'Identifier' && node['decorators'] !== undefined ? node['typeAnnotation'] : undefined;
  if (isNode(type) && /\bnumber$/.test(text.slice(type.start, type.end))) return found(nameOf(node, text), asNumber);
  const { callee, arguments: given } = node;
  if (node.type !== 'CallExpression' || !isNode(callee) || !Array.isArray(given)) return [];
  const called = text.slice(callee.start, callee.end);
  const [first, second] = given as readonly (SyntaxNode | undefined)[];
  if (called === 'Number') return found(nameOf(first, text), asNumber);
  if (
    called === 'Param' &&
    second !== undefined &&
    /\bParse(?:Int|Float)Pipe\b/.test(text.slice(second.start, second.end))
  )
    return found(nameOf(first, text), asNumber);
  if (first === undefined || !functions.test(called)) return [];
  const rest = text.slice(first.end, node.end);
  return found(nameOf(first, text), (parameter) => `${called}(String(${parameter})${rest}`);
}

/** `id` of `req.params.id`, `params['id']` and `id`; undefined of `req.query.id`. */
function nameOf(node: unknown, text: string): string | undefined {
  if (!isNode(node)) return undefined;
  const { type, name, value, object, property, expression } = node;
  if (type === 'Identifier') return String(name);
  if (type === 'StringLiteral') return String(value);
  if (/^TS(?:As|NonNull)Expression$/.test(type)) return nameOf(expression, text);
  const isParameter =
    /^(?:Optional)?MemberExpression$/.test(type) &&
    isNode(object) &&
    /\bparams$/.test(text.slice(object.start, object.end));
  return isParameter ? nameOf(property, text) : undefined;
}
