import { parse } from '@babel/parser';
import type { Source } from './sources.js';

export interface SyntaxNode {
  readonly type: string;
  readonly start: number;
  readonly end: number;
  readonly [member: string]: unknown;
}

/** A node with the nodes around it. */
export interface NestedNode {
  readonly node: SyntaxNode;
  readonly parent: NestedNode | undefined;
}

/** The program in a source; undefined if it does not parse. */
export function parsed({ path, text }: Source): SyntaxNode | undefined {
  try {
    return parse(text, {
      sourceType: 'unambiguous',
      allowReturnOutsideFunction: true,
      plugins: [/\.[cm]?ts$/.test(path) ? 'typescript' : 'jsx', 'decorators-legacy'],
    }).program as unknown as SyntaxNode;
  } catch {
    return undefined;
  }
}

/** All nodes, in the order of the text. */
export function nodesIn(program: SyntaxNode): readonly NestedNode[] {
  const nodes: NestedNode[] = [];
  const open: NestedNode[] = [{ node: program, parent: undefined }];
  for (let nested = open.pop(); nested !== undefined; nested = open.pop()) {
    nodes.push(nested);
    for (const node of Object.values(nested.node).flat()) if (isNode(node)) open.push({ node, parent: nested });
  }
  return nodes.toSorted((one, other) => one.node.start - other.node.start);
}

export function isNode(value: unknown): value is SyntaxNode {
  return typeof value === 'object' && value !== null && 'type' in value && 'start' in value;
}

/** The literal key of a property, or of what reads one. */
export function keyOf({ computed, property, key }: SyntaxNode): string | undefined {
  const found = property ?? key;
  if (!isNode(found)) return undefined;
  if (found.type === 'StringLiteral') return String(found['value']);
  if (isNode(found['id'])) return `#${String(found['id']['name'])}`;
  return found.type === 'Identifier' && computed !== true ? String(found['name']) : undefined;
}

export function isFunction({ type }: SyntaxNode): boolean {
  return /^(?:FunctionDeclaration|(?:Arrow)?FunctionExpression|(?:Object|Class|ClassPrivate)Method)$/.test(type);
}

export function isIn(inner: SyntaxNode, outer: SyntaxNode): boolean {
  return inner.start >= outer.start && inner.end <= outer.end;
}

/** Of nodes in the order of the text. */
export function nodesWithin(nodes: readonly NestedNode[], part: SyntaxNode): readonly NestedNode[] {
  return nodesFrom(nodes, part.start, part.end).filter(({ node }) => isIn(node, part));
}

/** The nodes that begin between two offsets. */
export function nodesFrom(nodes: readonly NestedNode[], start: number, end: number): readonly NestedNode[] {
  return nodes.slice(placeOf(nodes, start), placeOf(nodes, end));
}

function placeOf(nodes: readonly NestedNode[], offset: number): number {
  let [low, high] = [0, nodes.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((nodes[middle]?.node.start ?? offset) < offset) low = middle + 1;
    else high = middle;
  }
  return low;
}
