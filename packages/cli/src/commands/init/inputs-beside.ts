import { type Bindings, isVariable } from './bindings.js';
import type { Callees } from './callees.js';
import { calls, isAnswered } from './input-calls.js';
import { type InputRead, readInputSources } from './input-sources.js';
import { requests } from './inputs.js';
import { isOfKey } from './key-parts.js';
import type { Reach } from './reach.js';
import { type IsHandedOn, looksUp, nameOf } from './results.js';
import { isFunction, isIn, isNode, keyOf, type NestedNode, nodesWithin, type SyntaxNode } from './syntax.js';
import { textOf, wrappers } from './values.js';

/** Another input that the call, object, list or chain gets which gets this value; undefined if there is none. */
export type InputBeside = (value: NestedNode) => string | undefined;

const holders =
  /^(?:Object|Array|Conditional|Logical|Unary)Expression$|^(?:ObjectProperty|SpreadElement|TemplateLiteral|ParenthesizedExpression)$|^TS/;
/** `rows.find((row) => row.id === id && row.shop === shop)` */
const callbackParts = /^(?:ReturnStatement|BlockStatement|(?:Arrow)?FunctionExpression)$/;
const comparisons = /^(?:[!=]==?|[<>]=?)$/;
/** `key.set('shop', req.query.shop)` */
const fills = /^(?:set|append|push|unshift|add|put)$/;
/** They give each value to nothing but the caller. */
const gatherers = /^Promise\.\w+$/;

export function readInputsBeside(
  nodes: readonly NestedNode[],
  { declarationOf, usesOf, namedBy }: Bindings,
  { calleesOf }: Callees,
  text: string,
): (reach: Pick<Reach, 'nodes' | 'handlers'>, isHandedOn: IsHandedOn) => InputBeside {
  const inputOf = readInputSources({ declarationOf }, text);

  /** What is later added to a query that a variable holds: `query.where('tenant', …)`. */
  function addedTo({ node, parent }: NestedNode): readonly SyntaxNode[] {
    return parent?.node['init'] === node ? givenToMethods(parent.node['id'], looksUp) : [];
  }
  function givenToMethods(variable: unknown, isMethod: (name: string) => boolean): readonly SyntaxNode[] {
    return usesOf(variable).flatMap(({ node: name, parent: member }) => {
      const call = member?.node['object'] === name ? member.parent?.node : undefined;
      const isAdded = call !== undefined && call['callee'] === member?.node && isMethod(nameOf(call['callee']));
      return isAdded ? (call['arguments'] as readonly SyntaxNode[]) : [];
    });
  }
  function calledWith(call: NestedNode | undefined): readonly SyntaxNode[] | undefined {
    const callees = calleesOf(call?.node['callee']);
    return callees.length > 0 ? callees : undefined;
  }
  /** `list(req.query)` finds other rows. */
  function isOtherLookUp({ source, key }: InputRead, nested: NestedNode, value: NestedNode): boolean {
    const call = callAround(nested)?.node;
    if (source !== 'query' || key !== undefined || call === undefined || isIn(value.node, call)) return false;
    return looksUp(nameOf(call['callee'])) && calleesOf(call['callee']).length === 0;
  }
  function isParameterItself({ node }: NestedNode): boolean {
    const by = declarationOf(node)?.by.node;
    return node.type !== 'Identifier' || (by !== undefined && isFunction(by));
  }

  return (reach, isHandedOn) => {
    let callsOfFile: Map<SyntaxNode, NestedNode[]> | undefined;
    function callsOf(called: SyntaxNode): readonly NestedNode[] {
      if (callsOfFile === undefined) {
        callsOfFile = new Map();
        for (const call of reach.nodes) {
          for (const each of calls.test(call.node.type) ? calleesOf(call.node['callee']) : []) {
            callsOfFile.set(each, [...(callsOfFile.get(each) ?? []), call]);
          }
        }
      }
      return callsOfFile.get(called) ?? [];
    }
    const hasHandler = (part: SyntaxNode): boolean =>
      [...reach.handlers].some((handler) => handler !== part && isIn(handler, part));

    /** What gets the value: the whole chain of a call, and the calls that get its result. */
    function takersOf(value: NestedNode): readonly SyntaxNode[] {
      let [inner, holder, isCompared] = [value, undefined as NestedNode | undefined, false];
      let takers: readonly SyntaxNode[] = [];
      for (let { parent } = value; parent !== undefined; { parent } = inner) {
        const { type, operator, callee, object } = parent.node;
        const isTaken = calls.test(type) ? callee !== inner.node : isNode(object) && object !== inner.node;
        if (isTaken) {
          if (calls.test(type) && (isAnswered(parent, text) || gatherers.test(textOf(callee, text)))) break;
          // The functions of this file are read themselves.
          if (isNode(callee) && calleesOf(callee).length > 0) return [...takers, callee];
          const chain = chainOf(parent);
          takers = [chain.node, ...addedTo(chain)];
          inner = chain;
          isCompared = false;
          if (!isHandedOn(chain)) break;
          continue;
        }
        const isCallback = isCompared && callbackParts.test(type) && !reach.handlers.has(parent.node);
        if (comparisons.test(String(operator))) isCompared = true;
        else if (!isCallback && !holders.test(type)) break;
        if (/^(?:Object|Array)Expression$/.test(type) || (isCompared && type === 'LogicalExpression')) holder = parent;
        inner = parent;
      }
      if (takers.length > 0 || holder === undefined) return takers;
      return isCompared || isHandedOn(holder) ? [holder.node] : [];
    }
    /** What a node is made of; undefined if that is not known. */
    function originsOf(nested: NestedNode): readonly SyntaxNode[] | undefined {
      const { node, parent } = nested;
      const { name, by, scope } = declarationOf(node) ?? {};
      // `.then((c) => c.get(id))`
      const isOfCallback = by !== undefined && isGiven(by) && !reach.handlers.has(by.node);
      if (requests.test(textOf(node, text)) && !isOfCallback)
        return isGiven(nested) ? calledWith(parent) : isPart(parent) ? undefined : [];
      if (name === undefined || by === undefined || scope === undefined || !isVariable(nested)) return [];
      const isParameter = isFunction(by.node) && by.node['id'] !== name.node;
      if (by.node.type === 'CatchClause' || reach.handlers.has(by.node)) return [];
      if (scope.type === 'Program' || hasHandler(scope)) {
        return isParameter ? [] : namedBy(nested).filter((each) => [...reach.handlers].some((own) => isIn(each, own)));
      }
      if (isParameter) return argumentsFor(name.node, by);
      const loop = by.parent?.parent?.node;
      if (loop !== undefined && loop['left'] === by.parent?.node) return [loop['right']].filter(isNode);
      const origins = namedBy(nested);
      const added = givenToMethods(name.node, (called) => fills.test(called));
      return origins.length > 0 ? [...origins, ...added] : undefined;
    }
    function argumentsFor(name: SyntaxNode, { node, parent }: NestedNode): readonly SyntaxNode[] | undefined {
      const given = parent?.node['arguments'];
      // A callback: `names.map((name) => …)`
      if (Array.isArray(given) && given.includes(node))
        return [parent?.node['callee'], ...given].filter((each): each is SyntaxNode => isNode(each) && each !== node);
      const index = (node['params'] as readonly SyntaxNode[]).findIndex((each) => isIn(name, each));
      const found = callsOf(node).map((call) => (call.node['arguments'] as readonly SyntaxNode[])[index]);
      return found.length === 0 ? undefined : found.filter(isNode);
    }
    const known = new Map<SyntaxNode, readonly Found[]>();
    /** The inputs in a part, and what its variables are made of. */
    function foundIn(part: SyntaxNode): readonly Found[] {
      const found = known.get(part);
      if (found !== undefined) return found;
      const left = new Set<SyntaxNode>();
      const all: Found[] = [];
      for (const nested of nodesWithin(nodes, part)) {
        const { node, parent } = nested;
        const isInLeft = parent !== undefined && node !== part && left.has(parent.node);
        if (isInLeft || (node !== part && isElsewhere(nested, text))) {
          left.add(node);
          continue;
        }
        const input = inputOf(nested);
        if (input !== undefined) {
          if (isOfKey(input, nested)) all.push({ nested, input, origins: [] });
          continue;
        }
        const origins = originsOf(nested);
        if (origins === undefined || origins.length > 0) all.push({ nested, input, origins });
      }
      known.set(part, all);
      return all;
    }
    return (value) => {
      const parts = new Set(takersOf(value));
      const isExcluded = isParameterItself(value);
      for (const part of parts) {
        for (const { nested, input, origins } of foundIn(part)) {
          if (isExcluded && isIn(nested.node, value.node)) continue;
          if (input !== undefined && !isOtherLookUp(input, nested, value)) return shown(input);
          if (origins === undefined) return textOf(nested.node, text);
          for (const origin of origins) parts.add(origin);
        }
      }
      return undefined;
    };
  };
}

interface Found {
  readonly nested: NestedNode;
  readonly input: InputRead | undefined;
  /** Undefined if they are not known. */
  readonly origins: readonly SyntaxNode[] | undefined;
}

function shown({ source, key }: InputRead): string {
  return key === undefined ? source : `${source}.${key}`;
}

function callAround({ parent }: NestedNode): NestedNode | undefined {
  return parent === undefined || calls.test(parent.node.type) ? parent : callAround(parent);
}

/** Whether the response, a log or an error gets a node, or it is a callback that runs later. */
function isElsewhere({ node, parent }: NestedNode, text: string): boolean {
  if (parent !== undefined && calls.test(parent.node.type) && isAnswered(parent, text)) return true;
  const [first] = isFunction(node) ? (node['params'] as readonly SyntaxNode[]) : [];
  return /^(?:_?err(?:or)?|e)$/.test(String(first?.['name']));
}

/** The last call of a chain, before something waits for it. */
function chainOf(call: NestedNode): NestedNode {
  const { parent } = call;
  if (parent === undefined || parent.node.type === 'AwaitExpression') return call;
  const { type, object, callee } = parent.node;
  const isNext = object === call.node && !/^(?:then|catch|finally)$/.test(keyOf(parent.node) ?? '');
  return isNext || callee === call.node || wrappers.test(type) ? chainOf(parent) : call;
}

function isGiven({ node, parent }: NestedNode): boolean {
  const given = parent?.node['arguments'];
  return Array.isArray(given) && given.includes(node);
}

function isPart(parent: NestedNode | undefined): boolean {
  return /^(?:ObjectProperty|SpreadElement|ArrayExpression)$/.test(parent?.node.type ?? '');
}
