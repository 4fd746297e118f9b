import { isFunction, isNode, keyOf, type NestedNode, type SyntaxNode } from './syntax.js';

export interface Member {
  /** The object or class that has it; the assignment `exports.show = …`. */
  readonly owner: SyntaxNode;
  readonly value: SyntaxNode;
}

/** The members of the objects and classes of a file, by their names. */
export function membersIn(nodes: readonly NestedNode[]): ReadonlyMap<string, readonly Member[]> {
  const members = new Map<string, Member[]>();
  for (const { node, parent } of nodes) {
    const { left, right, value } = node;
    const isAssigned = node.type === 'AssignmentExpression' && isNode(left) && left.type === 'MemberExpression';
    const isOwned = /^(?:ClassBody|ObjectExpression)$/.test(parent?.node.type ?? '');
    const name = isAssigned ? keyOf(left) : isOwned ? keyOf(node) : undefined;
    const found = isAssigned ? right : isFunction(node) ? node : value;
    const owner = isAssigned ? node : parent?.node;
    if (name === undefined || owner === undefined || !isNode(found)) continue;
    members.set(name, [...(members.get(name) ?? []), { owner, value: found }]);
  }
  return members;
}
