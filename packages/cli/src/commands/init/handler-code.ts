import { skipSpace } from './calls.js';
import type { FoundRoute } from './find-routes.js';
import type { Source } from './sources.js';
import { isFunction, type NestedNode, nodesFrom, nodesIn, nodesWithin, parsed, type SyntaxNode } from './syntax.js';

/** The handlers of a route, as far as they stand in its call or method. */
export interface HandlerCode {
  readonly text: string;
  /** Empty if the file does not parse. */
  readonly nodes: readonly NestedNode[];
}

export function readHandlerCode(sources: readonly Source[]): (route: FoundRoute) => HandlerCode {
  const files = new Map(sources.map((source) => [source.path, source]));
  const programs = new Map<string, readonly NestedNode[]>();
  function nodesOf(source: Source): readonly NestedNode[] {
    const program = programs.has(source.path) ? undefined : parsed(source);
    const nodes = programs.get(source.path) ?? (program === undefined ? [] : nodesIn(program));
    programs.set(source.path, nodes);
    return nodes;
  }
  return ({ file, at, handler }) => {
    const source = files.get(file);
    const nodes = source === undefined ? [] : nodesOf(source);
    const found = source === undefined ? undefined : (methodAt(nodes, at) ?? callAt(nodes, source.text, at));
    if (source === undefined || found === undefined) return { text: handler, nodes: [] };
    // An apostrophe in a comment ends the text that was found without the tree too early.
    const text = source.text.slice(at, found.end);
    const given = Array.isArray(found['arguments']) ? (found['arguments'] as readonly SyntaxNode[]) : [found];
    return { text, nodes: given.flatMap((part) => nodesWithin(nodes, part)) };
  };
}

/** A method of NestJS, by the offset of its decorator. */
function methodAt(nodes: readonly NestedNode[], at: number): SyntaxNode | undefined {
  const method = nodesFrom(nodes, at, at + 1).find(({ node }) => node.type === 'Decorator')?.parent?.node;
  return method !== undefined && isFunction(method) ? method : undefined;
}

/** `.get('/path', …)`, by the offset of its dot. */
function callAt(nodes: readonly NestedNode[], text: string, at: number): SyntaxNode | undefined {
  const start = skipSpace(text, at + 1);
  const name = nodesFrom(nodes, start, start + 1).find(({ node }) => node.type === 'Identifier');
  const called = name?.parent;
  const call = called?.parent?.node;
  return call !== undefined && call['callee'] === called?.node ? call : undefined;
}
