import type { Bindings } from './bindings.js';
import type { Callees } from './callees.js';
import { answers, decoratorOf, inputs, requests } from './inputs.js';
import { readMadeOfPath } from './made-of-path.js';
import { isOfPattern, readOrigins } from './origins.js';
import { hasSlashes } from './separators.js';
import { isIn, isNode, keyOf, type NestedNode, nodesWithin, type SyntaxNode } from './syntax.js';
import { textOf, wrappers } from './values.js';

/**
 * The text or sum in which a value is joined with something else that the caller sends, or with another parameter of the
 * path by no `/`; undefined if there is none.
 */
export type JoinOf = (value: NestedNode) => NestedNode | undefined;

const conversions = /^(?:String|Number|BigInt|(?:Number\.)?parse(?:Int|Float))$|\.toString$/;
const choices = /^(?:Logical|Conditional|Unary)Expression$/;

export function readJoins(
  nodes: readonly NestedNode[],
  bindings: Bindings,
  { calleesOf }: Callees,
  text: string,
): JoinOf {
  const originsOf = readOrigins(bindings, text);
  const areOfPath = readMadeOfPath(nodes, bindings, text);
  function isInput({ node, parent }: NestedNode): boolean {
    const { object } = node;
    const key = keyOf(node) ?? '';
    if (isNode(object)) {
      if (inputs.test(key)) return !answers.test(textOf(object, text));
      return /^(?:get|header)$/.test(key) && requests.test(textOf(object, text));
    }
    if (node.type !== 'Identifier') return false;
    const given = parent?.node['arguments'];
    if (Array.isArray(given) && given.includes(node) && requests.test(textOf(node, text))) {
      return calleesOf(parent?.node['callee']).length === 0;
    }
    const name = bindings.declarationOf(node)?.name;
    return name !== undefined && (decoratorOf(name.node) !== undefined || isOfPattern(name, inputs));
  }
  function madeOf(within: readonly NestedNode[]): MadeOf {
    const origins = within.map(originsOf);
    return {
      isInput: within.some(isInput) || origins.includes(undefined),
      origins: new Set(origins.flatMap((each) => each ?? [])),
    };
  }
  const known = new Map<SyntaxNode, MadeOf>();
  const without = new Set<SyntaxNode>();
  /** Whether an input is in what these are made of. */
  function haveInput(origins: ReadonlySet<SyntaxNode>): boolean {
    const parts = new Set(origins);
    for (const part of parts) {
      if (without.has(part)) continue;
      const made = known.get(part) ?? madeOf(nodesWithin(nodes, part));
      known.set(part, made);
      if (made.isInput) return true;
      for (const origin of made.origins) parts.add(origin);
    }
    for (const part of parts) without.add(part);
    return false;
  }
  return (value) => {
    const whole = textAround(value, text);
    if (whole === undefined) return undefined;
    const others = madeOf(nodesWithin(nodes, whole.node).filter(({ node }) => !isIn(node, value.node)));
    const isJoined = others.isInput || haveInput(others.origins) || !hasSlashes(whole, nodes, areOfPath);
    return isJoined ? whole : undefined;
  };
}

interface MadeOf {
  readonly isInput: boolean;
  /** The values of the variables and functions in it. */
  readonly origins: ReadonlySet<SyntaxNode>;
}

/** The longest text, or sum, of which a value is a part. */
function textAround(value: NestedNode, text: string): NestedNode | undefined {
  let whole: NestedNode | undefined;
  for (let { parent } = value; parent !== undefined; { parent } = parent) {
    const { type, operator, callee } = parent.node;
    const isText = type === 'TemplateLiteral' || (type === 'BinaryExpression' && operator === '+');
    const isConversion = conversions.test(textOf(callee, text)) || keyOf(parent.node) === 'toString';
    if (isText) whole = parent;
    else if (!isConversion && !wrappers.test(type) && !choices.test(type)) break;
  }
  return whole;
}
