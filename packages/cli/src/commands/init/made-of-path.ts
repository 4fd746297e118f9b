import type { Bindings } from './bindings.js';
import { answers, decoratorOf } from './inputs.js';
import { isOfPattern, readOrigins } from './origins.js';
import { isNode, keyOf, type NestedNode, nodesWithin, type SyntaxNode } from './syntax.js';
import { textOf } from './values.js';

/** Whether some of these nodes, or the values of the variables in them, are made of the path. */
export type AreOfPath = (within: readonly NestedNode[]) => boolean;

export function readMadeOfPath(nodes: readonly NestedNode[], bindings: Bindings, text: string): AreOfPath {
  const { declarationOf } = bindings;
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
  return (within) => {
    if (within.some(isOfPath)) return true;
    // The name of a function says nothing about its arguments.
    const made = new Set(originsOfAll(within.filter(({ node, parent }) => parent?.node['callee'] !== node)));
    for (const part of made) {
      const inner = nodesWithin(nodes, part);
      if (inner.some(isOfPath)) return true;
      for (const origin of originsOfAll(inner)) made.add(origin);
    }
    return false;
  };
}
