import type { Bindings } from './bindings.js';
import { requests } from './inputs.js';
import { isFunction, isIn, isNode, keyOf, type NestedNode, type SyntaxNode } from './syntax.js';
import { textOf } from './values.js';

/** What the value of a variable is made of; undefined if that is not known. */
export type OriginsOf = (each: NestedNode) => readonly SyntaxNode[] | undefined;

export function readOrigins({ declarationOf, namedBy, usesOf }: Bindings, text: string): OriginsOf {
  function originsOf(each: NestedNode): ReturnType<OriginsOf> {
    const { name, by } = declarationOf(each.node) ?? {};
    // The request itself is no input: its members are.
    if (name === undefined || by === undefined || requests.test(textOf(each.node, text))) return namedBy(each);
    const isParameter = isFunction(by.node) && by.node['id'] !== name.node;
    const origins = isParameter ? argumentsFor(name.node, by) : namedBy(each);
    const isDestructured = isParameter && !(by.node['params'] as readonly SyntaxNode[]).includes(name.node);
    return origins.length > 0 || isDestructured || Array.isArray(name.node['decorators']) ? origins : undefined;
  }
  function argumentsFor(name: SyntaxNode, { node, parent }: NestedNode): readonly SyntaxNode[] {
    const { callee, init, id, arguments: given } = parent?.node ?? node;
    // A callback: `names.map((name) => …)`
    if (isNode(callee)) return [callee, given].flat().filter((each) => isNode(each) && each !== node) as SyntaxNode[];
    const index = (node['params'] as readonly SyntaxNode[]).findIndex((each) => isIn(name, each));
    const calls = usesOf(init === node ? id : node['id']).map((use) => use.parent?.node['arguments']);
    return calls.flatMap((each) => (Array.isArray(each) ? (each[index] ?? []) : [])).filter(isNode);
  }
  return originsOf;
}

/** Of `({ query: { tenant } }) => …` and `const { body } = req`. */
export function isOfPattern({ parent }: NestedNode, keys: RegExp): boolean {
  if (parent === undefined || !/Pattern$|^ObjectProperty$/.test(parent.node.type)) return false;
  return (parent.node.type === 'ObjectProperty' && keys.test(keyOf(parent.node) ?? '')) || isOfPattern(parent, keys);
}
