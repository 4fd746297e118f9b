import type { Bindings } from './bindings.js';
import { membersIn } from './members.js';
import { isFunction, isIn, isNode, keyOf, type NestedNode, nodesWithin, type SyntaxNode } from './syntax.js';

export interface Callees {
  /**
   * What a callee may be of the same file: functions, code that has some (`memoize(show)`), or the name of a parameter.
   * Empty if the function is of another file.
   */
  readonly calleesOf: (callee: unknown) => readonly SyntaxNode[];
  /** Whether there are functions of the same file in this code, or behind its names. */
  readonly hasFunctions: (code: SyntaxNode) => boolean;
}

export function readCallees(nodes: readonly NestedNode[], { declarationOf, usesOf, namedBy }: Bindings): Callees {
  const members = membersIn(nodes);

  function hasFunctions(code: SyntaxNode): boolean {
    const parts = new Set([code]);
    for (const part of parts) {
      for (const each of nodesWithin(nodes, part)) {
        if (isFunction(each.node)) return true;
        for (const other of namedBy(each)) parts.add(other);
      }
    }
    return false;
  }
  function functions(name: SyntaxNode): readonly SyntaxNode[] {
    const declaration = declarationOf(name);
    if (declaration === undefined) return [];
    const { id, init, type } = declaration.by.node;
    if (type !== 'VariableDeclarator') return [id === declaration.name.node ? declaration.by.node : name];
    const assigned = usesOf(declaration.name.node).map(({ node, parent }) =>
      parent?.node['left'] === node ? parent.node['right'] : undefined,
    );
    return [init, ...assigned].filter(isNode).filter((value) => hasFunctions(value));
  }
  /** Imported, global, or made by such. */
  function isForeign(value: unknown): boolean {
    if (!isNode(value)) return false;
    const { object, callee, argument, expression, name } = value;
    const inner = object ?? callee ?? argument ?? expression;
    if (isNode(inner)) return isForeign(inner);
    if (value.type !== 'Identifier' || name === 'exports' || name === 'module') return false;
    const by = declarationOf(value)?.by.node;
    if (by?.type !== 'VariableDeclarator') return by === undefined;
    return isForeign(by['init']) && !hasFunctions(by);
  }
  /** Whether an object is, or is made of, what has a member. */
  function isOwner(object: SyntaxNode, owner: SyntaxNode, at: SyntaxNode): boolean {
    if (object.type === 'ThisExpression') return isIn(at, owner);
    if (isNode(object['object']))
      return object['object'].type !== 'ThisExpression' && isOwner(object['object'], owner, at);
    const by = declarationOf(object)?.by.node;
    const { init } = by ?? object;
    const made = object.type === 'NewExpression' ? object : init;
    const isMade = isNode(made) && made.type === 'NewExpression' && isNode(made['callee']);
    return (by !== undefined && isIn(owner, by)) || (isMade && isOwner(made['callee'] as SyntaxNode, owner, at));
  }
  function methods(member: SyntaxNode): readonly SyntaxNode[] {
    const { object } = member;
    if (!isNode(object)) return [];
    const name = keyOf(member);
    if (name === undefined) return hasFunctions(object) ? [member] : [];
    const named = (members.get(name) ?? []).filter(({ value }) => hasFunctions(value));
    const own = named.filter(({ owner }) => isOwner(object, owner, member));
    if (own.length > 0) return own.flatMap(({ value }) => (value.type === 'Identifier' ? functions(value) : [value]));
    // A method that calls `service.find(id)` is no part of the service.
    return !isForeign(object) && named.some(({ owner }) => !isIn(member, owner)) ? [member] : [];
  }
  function calleesOf(callee: unknown): readonly SyntaxNode[] {
    if (!isNode(callee)) return [];
    const { expression, object, type } = callee;
    if (isNode(expression)) return calleesOf(expression);
    if (type === 'Identifier') return functions(callee);
    if (!isNode(object)) return hasFunctions(callee) ? [callee] : [];
    const isOfFunction = /^(?:call|apply|bind)$/.test(keyOf(callee) ?? '') && hasFunctions(object);
    return isOfFunction ? [callee] : methods(callee);
  }
  return { calleesOf, hasFunctions };
}
