import type { Bindings } from './bindings.js';
import type { Callees } from './callees.js';
import type { FoundRoute } from './find-routes.js';
import { isFunction, isNode, type NestedNode, nodesFrom, nodesWithin, type SyntaxNode } from './syntax.js';

/** What a route runs of its file. */
export interface Reach {
  /** The nodes of its handlers, and of the functions that they name. */
  readonly nodes: ReadonlySet<NestedNode>;
  /** The functions whose results the framework gets, and no function of the file. */
  readonly handlers: ReadonlySet<SyntaxNode>;
  /** The code around its handlers: what the route names, and calls, in their place. */
  readonly outer: ReadonlySet<NestedNode>;
}

type Entry = SyntaxNode | { readonly type: undefined; readonly start: number; readonly end: number };

export function readReach(
  nodes: readonly NestedNode[],
  { namedBy }: Bindings,
  { calleesOf }: Callees,
): (route: FoundRoute) => Reach {
  const ownCalls = new Map<SyntaxNode, boolean>();
  /** Whether a call is of a function of the file, which may use the results of those that it gets. */
  function isOwnCall({ node }: NestedNode): boolean {
    if (!/^(?:(?:Optional)?Call|New)Expression$/.test(node.type)) return false;
    const isOwn = ownCalls.get(node) ?? calleesOf(node['callee']).length > 0;
    ownCalls.set(node, isOwn);
    return isOwn;
  }
  return ({ at, handler }) => {
    const decorated = nodesFrom(nodes, 0, at + 1).find(({ node }) => isFunction(node) && isDecoratedAt(node, at));
    const entries = new Set<Entry>([decorated?.node ?? { type: undefined, start: at, end: at + handler.length }]);
    const found = new Set<NestedNode>();
    const outer = new Set<NestedNode>();
    const outermost = new Set<NestedNode>();
    const helpers = new Set<SyntaxNode>();
    for (const entry of entries) {
      const inner = new Set<NestedNode>();
      const within = entry.type === undefined ? nodesFrom(nodes, entry.start, entry.end) : nodesWithin(nodes, entry);
      const all = new Set(within);
      for (const each of within) {
        const { parent } = each;
        const isInner =
          parent !== undefined &&
          all.has(parent) &&
          (inner.has(parent) || isFunction(parent.node) || isOwnCall(parent));
        if (isInner) inner.add(each);
        else outer.add(each);
        if (!isInner && isFunction(each.node)) outermost.add(each);
        for (const name of namedBy(each)) (isInner ? helpers : entries).add(name);
        found.add(each);
      }
    }
    const helped = new Set<NestedNode>();
    for (const helper of helpers) {
      for (const each of nodesWithin(nodes, helper).filter((node) => !helped.has(node))) {
        helped.add(each);
        for (const name of namedBy(each)) helpers.add(name);
      }
    }
    const handlers = [...outermost].filter((each) => !helped.has(each)).map(({ node }) => node);
    return { nodes: new Set([...found, ...helped]), handlers: new Set(handlers), outer };
  };
}

/** A method of NestJS. */
function isDecoratedAt({ decorators }: SyntaxNode, at: number): boolean {
  return Array.isArray(decorators) && decorators.some((each) => isNode(each) && each.start === at);
}
