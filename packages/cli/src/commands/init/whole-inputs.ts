import type { Bindings } from './bindings.js';
import { answers, checks, decoratorOf, inputs, type OtherInput, readInputOf } from './inputs.js';
import { isOfPattern, readOrigins } from './origins.js';
import { koaAnswer } from './read-use.js';
import { type IsHandedOn, looksUp, nameOf } from './results.js';
import { isIn, isNode, keyOf, type NestedNode, nodesWithin, type SyntaxNode } from './syntax.js';
import { textOf, wrappers } from './values.js';

const calls = /^(?:(?:Optional)?Call|New)Expression$/;
const parts = /^(?:ObjectExpression|ObjectProperty|ArrayExpression|SpreadElement|TemplateLiteral|BinaryExpression)$/;
/** Functions that ask what they get, and keep nothing of it. */
const questions = /^(?:is|has|check|assert|ensure|verify)(?![a-z])/;
/** Functions that copy the members of all that they get into the first. */
const copies = /^(?:assign|assignIn|merge|mergeWith|extend|defaults|defaultsDeep)$/;

/**
 * Finds a body or query that a route passes on as a whole, to a call that gets nothing made of the path: `save(req.body)`.
 * Its id may be another one. `update(req.params.id, req.body)` acts on the id of the path.
 */
export function readWholeInputs(
  nodes: readonly NestedNode[],
  bindings: Bindings,
  text: string,
): (
  reached: ReadonlySet<NestedNode>,
  isId: (key: string) => boolean,
  isHandedOn: IsHandedOn,
) => OtherInput | undefined {
  const { declarationOf, usesOf } = bindings;
  const originsOf = readOrigins(bindings, text);

  function isOfPath(nested: NestedNode): boolean {
    const { node } = nested;
    if (isNode(node['object'])) return keyOf(node) === 'params' && !answers.test(textOf(node['object'], text));
    const name = node.type === 'Identifier' ? declarationOf(node)?.name : undefined;
    return name !== undefined && (decoratorOf(name.node, /^Param$/) !== undefined || isOfPattern(name, /^params$/));
  }
  function originsOfAll(within: readonly NestedNode[]): readonly SyntaxNode[] {
    return within.flatMap((each) => originsOf(each) ?? []);
  }
  /** Whether some of these, or of the variables in them, are made of the path. */
  function areOfPath(within: readonly NestedNode[]): boolean {
    if (within.some(isOfPath)) return true;
    // What a function is called says nothing about what it gets.
    const made = new Set(originsOfAll(within.filter(({ node, parent }) => parent?.node['callee'] !== node)));
    for (const part of made) {
      const inner = nodesWithin(nodes, part);
      if (inner.some(isOfPath)) return true;
      for (const origin of originsOfAll(inner)) made.add(origin);
    }
    return false;
  }
  /** Whether a name like `query` is not that of an input: an import, or a parameter of a helper. */
  function isOtherName(node: SyntaxNode): boolean {
    if (node.type !== 'Identifier' || !inputs.test(String(node['name']))) return false;
    const { name, by } = declarationOf(node) ?? {};
    if (name === undefined || by === undefined) return true;
    if (decoratorOf(name.node) !== undefined || by.node['id'] === name.node) return false;
    return !isOfPattern(name, inputs) || answers.test(textOf(by.node['init'], text));
  }

  return (reached, isId, isHandedOn) => {
    const inputOf = readInputOf(isId, declarationOf, text);
    /** The name of an input that an argument is, or has as a member. */
    function inputIn(node: unknown): string | undefined {
      if (!isNode(node) || isOtherName(node) || koaAnswer.test(textOf(node, text))) return undefined;
      const input = inputOf(node.type === 'SpreadElement' ? node['argument'] : node);
      if (input !== undefined) return /^(?:body|query)$/.test(input) ? input : undefined;
      const inner = [node['properties'], node['elements']].flat().filter(isNode);
      return inner.map((each) => inputIn(each['value'])).find((each) => each !== undefined);
    }
    /** Whether a call, or the calls of its chain, get something made of the path besides the input. */
    function hasPath(call: NestedNode): boolean {
      let chain = call;
      for (let { parent } = chain; parent !== undefined; { parent } = parent) {
        const { type, object, callee } = parent.node;
        const isNext = object === chain.node && !/^(?:then|catch|finally)$/.test(keyOf(parent.node) ?? '');
        if (!isNext && callee !== chain.node && !wrappers.test(type)) break;
        chain = parent;
      }
      const within = nodesWithin(nodes, chain.node);
      // The input replaces what it is joined with: `{ id, ...req.body }`.
      const replaced = within.filter(({ node }) => inputOf(node) !== undefined);
      return areOfPath(within.filter(({ node }) => !replaced.some((each) => isIn(node, each.node))));
    }
    /** Whether what a function made of an input goes only where something of the path goes, too. */
    function isBeside(value: NestedNode): boolean {
      const { node, parent } = value;
      if (parent === undefined) return false;
      const { type, id, init, object, callee } = parent.node;
      if (wrappers.test(type) || parts.test(type)) return isBeside(parent);
      if (init === node && isNode(id)) return id.type !== 'Identifier' || usesOf(id).every(isBeside);
      if (object === node) return parent.parent?.node['callee'] !== parent.node || hasPath(parent.parent);
      return calls.test(type) && callee !== node && isKept(parent);
    }
    function isKept(call: NestedNode): boolean {
      return hasPath(call) || (!looksUp(nameOf(call.node['callee'])) && isBeside(call));
    }
    /** Whether the id of an input is deleted, or refused if it differs: `if (body.id !== params.id) return refuse();` */
    function isSettled({ node, parent }: NestedNode): boolean {
      if (parent === undefined || !isId(keyOf(node) ?? '') || inputOf(node['object']) === undefined) return false;
      const { operator, left, right } = parent.node;
      const other = left === node ? right : left;
      if (!/^!==?$/.test(String(operator)) || parent.parent?.node.type !== 'IfStatement') return operator === 'delete';
      return isNode(other) && areOfPath(nodesWithin(nodes, other));
    }
    function passedOn(argument: NestedNode): string | undefined {
      const { node, parent: call } = argument;
      const given = call?.node['arguments'];
      if (call === undefined || !Array.isArray(given) || !given.includes(node)) return undefined;
      const name = nameOf(call.node['callee']);
      const input = inputIn(node);
      if (input === undefined || questions.test(name)) return undefined;
      if (copies.test(name)) {
        const [target] = given as readonly SyntaxNode[];
        const isNew = target?.type === 'ObjectExpression' || target === node;
        return isNew || isBeside(call) ? undefined : inputOf(call.node);
      }
      // What a check returns is the input, and found where it is passed on.
      return checks.test(name) || !isHandedOn(argument) || isKept(call) ? undefined : input;
    }
    if ([...reached].some(isSettled)) return undefined;
    for (const nested of reached) {
      const name = passedOn(nested);
      if (name !== undefined) return { name, at: nested.node.start };
    }
    return undefined;
  };
}
