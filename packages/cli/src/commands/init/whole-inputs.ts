import type { Bindings } from './bindings.js';
import type { Callees } from './callees.js';
import { type Fate, type Fates, readFates } from './input-fates.js';
import { answers, decoratorOf, type OtherInput } from './inputs.js';
import { readMadeOfPath } from './made-of-path.js';
import type { Reach } from './reach.js';
import { koaAnswer } from './read-use.js';
import { isFunction, isIn, isNode, keyOf, type NestedNode, nodesWithin, type SyntaxNode } from './syntax.js';
import { textOf, wrappers } from './values.js';

const wholes = /^(?:body|query)$/;

/**
 * Finds a body or query that a route may pass on as a whole to what gets nothing made of the path: `save(req.body)`.
 * Its id may be another one. `update(req.params.id, req.body)` acts on the id of the path.
 */
export function readWholeInputs(
  nodes: readonly NestedNode[],
  bindings: Bindings,
  callees: Callees,
  text: string,
): (reach: Pick<Reach, 'nodes' | 'handlers'>, isId: (key: string) => boolean) => OtherInput | undefined {
  const areOfPath = readMadeOfPath(nodes, bindings, text);

  /** Whether a pattern takes apart the answer of another server: `const { body } = await got(url)`. */
  function isOfAnswer({ node, parent }: NestedNode): boolean {
    if (parent === undefined || isFunction(node)) return false;
    if (node.type === 'VariableDeclarator') return answers.test(textOf(node['init'], text));
    return isOfAnswer(parent);
  }
  function inputAt(nested: NestedNode, { ofValue, ofPattern }: Fates): { name: string; fate: Fate } | undefined {
    const { node, parent } = nested;
    const decorated = decoratorOf(node);
    if (decorated !== undefined && wholes.test(decorated)) return { name: decorated, fate: ofPattern(node, {}) };
    const name = keyOf(node) ?? '';
    if (!wholes.test(name)) return undefined;
    if (isNode(node['object'])) {
      // `pool.query(text)`
      const isOther = parent?.node['callee'] === node || koaAnswer.test(textOf(node, text));
      return isOther || answers.test(textOf(node['object'], text)) ? undefined : { name, fate: ofValue(nested, {}) };
    }
    const isDeclared = node.type === 'ObjectProperty' && parent?.node.type === 'ObjectPattern' && !isOfAnswer(nested);
    return isDeclared ? { name, fate: ofPattern(node['value'], {}) } : undefined;
  }

  return (reach, isId) => {
    const settled = [...reach.nodes].flatMap((nested) => settledBy(nested) ?? []);
    /** The object whose id is deleted, or refused if it differs: `if (body.id !== params.id) return refuse();` */
    function settledBy({ node, parent }: NestedNode): Settled | undefined {
      const object = unwrapped(node['object']);
      const by = parent?.parent;
      if (object === undefined || parent === undefined || by === undefined || !isId(keyOf(node) ?? ''))
        return undefined;
      const { operator, left, right } = parent.node;
      const other = left === node ? right : left;
      const isDeleted = operator === 'delete' && by.node.type === 'ExpressionStatement';
      const isCompared = /^!==?$/.test(String(operator)) && by.node['test'] === parent.node && leaves(by.node);
      const isOfPath = isCompared && isNode(other) && areOfPath(nodesWithin(nodes, other));
      return isDeleted || isOfPath ? { object, by } : undefined;
    }
    function isSettled({ node }: NestedNode): boolean {
      return settled.some(({ object, by }) => {
        const block = by.parent?.node;
        // Later in the same block, so that nothing skips the statement.
        return block !== undefined && isIn(node, block) && by.node.end <= node.start && isSame(object, node);
      });
    }
    function isSame(one: SyntaxNode, other: SyntaxNode): boolean {
      const name = bindings.declarationOf(one)?.name.node;
      return name === bindings.declarationOf(other)?.name.node && textOf(one, text) === textOf(other, text);
    }
    const fates = readFates({ ...bindings, ...callees, nodes, reach, areOfPath, isId, isSettled, text });
    return fates.search(() => {
      for (const nested of reach.nodes) {
        const found = inputAt(nested, fates);
        if (found?.fate === 'elsewhere') return { name: found.name, at: nested.node.start };
      }
      return undefined;
    });
  };
}

interface Settled {
  readonly object: SyntaxNode;
  /** The statement. */
  readonly by: NestedNode;
}

function unwrapped(node: unknown): SyntaxNode | undefined {
  if (!isNode(node)) return undefined;
  return wrappers.test(node.type) ? unwrapped(node['expression'] ?? node['argument']) : node;
}

/** Whether an `if` statement ends the function around it. */
function leaves({ type, consequent }: SyntaxNode): boolean {
  if (type !== 'IfStatement' || !isNode(consequent)) return false;
  const last = Array.isArray(consequent['body']) ? (consequent['body'] as readonly unknown[]).at(-1) : consequent;
  return isNode(last) && /^(?:Return|Throw)Statement$/.test(last.type);
}
