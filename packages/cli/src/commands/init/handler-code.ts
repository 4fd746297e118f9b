import { type Bindings, readBindings } from './bindings.js';
import { skipSpace } from './calls.js';
import type { FoundRoute } from './find-routes.js';
import type { Source } from './sources.js';
import { isFunction, type NestedNode, nodesFrom, nodesIn, nodesWithin, parsed, type SyntaxNode } from './syntax.js';

/** The handlers of a route, as far as they stand in its call or method, or the last one in a function of the same file. */
export interface HandlerCode {
  readonly text: string;
  /** Empty if the file does not parse. */
  readonly nodes: readonly NestedNode[];
}

interface Program {
  readonly nodes: readonly NestedNode[];
  readonly bindings: Bindings;
}

export function readHandlerCode(sources: readonly Source[]): (route: FoundRoute) => HandlerCode {
  const files = new Map(sources.map((source) => [source.path, source]));
  const programs = new Map<string, Program>();
  function programOf(source: Source): Program {
    const program = programs.has(source.path) ? undefined : parsed(source);
    const nodes = program === undefined ? [] : nodesIn(program);
    const read = programs.get(source.path) ?? { nodes, bindings: readBindings(nodes) };
    programs.set(source.path, read);
    return read;
  }
  return ({ file, at, handler }) => {
    const source = files.get(file);
    if (source === undefined) return { text: handler, nodes: [] };
    const program = programOf(source);
    const found = methodAt(program.nodes, at) ?? callAt(program.nodes, source.text, at);
    if (found === undefined) return { text: handler, nodes: [] };
    const given = Array.isArray(found['arguments']) ? (found['arguments'] as readonly SyntaxNode[]) : [found];
    const named = namedFunctions(program, given.at(-1));
    // An apostrophe in a comment ends the text that was found without the tree too early.
    const texts = [{ start: at, end: found.end }, ...named].map(({ start, end }) => source.text.slice(start, end));
    return { text: texts.join('\n'), nodes: [...given, ...named].flatMap((part) => nodesWithin(program.nodes, part)) };
  };
}

/** Those that a handler is, as `show` or `orders.show`. Middleware speaks of credentials, and gives none. */
function namedFunctions({ nodes, bindings }: Program, handler: SyntaxNode | undefined): readonly SyntaxNode[] {
  if (handler === undefined || !/^(?:Identifier|MemberExpression)$/.test(handler.type)) return [];
  return nodesWithin(nodes, handler).flatMap(bindings.namedBy).filter(isFunction);
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
