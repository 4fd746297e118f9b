import type { Bindings } from './bindings.js';
import { calls } from './input-calls.js';
import { answers, checks, inputs, requests } from './inputs.js';
import { nameOf } from './results.js';
import { isFunction, isNode, keyOf, type NestedNode, type SyntaxNode } from './syntax.js';
import { textOf, wrappers } from './values.js';

/** What a node reads of a request: `query` and `tenant`, or a whole one without a key. */
export interface InputRead {
  readonly source: string;
  readonly key: string | undefined;
}

/** Inputs that are no member of another one. */
const hosts = /^(?:host|hostname|subdomains|origin|querystring|search)$/;
const decorators = /^(?:Query|Body|Headers|Cookies?|HostParam)$/;
/** A variable may be declared by itself: `const query = parse(query)`. */
const mostSteps = 20;

export function readInputSources(
  { declarationOf }: Pick<Bindings, 'declarationOf'>,
  text: string,
): (nested: NestedNode) => InputRead | undefined {
  function isRequest(node: unknown, steps = 0): boolean {
    if (!isNode(node) || steps > mostSteps) return false;
    if (wrappers.test(node.type)) return isRequest(node['expression'] ?? node['argument'], steps + 1);
    if (requests.test(textOf(node, text))) return true;
    const { name, by } = declarationOf(node) ?? {};
    if (name === undefined || by === undefined || answers.test(textOf(node, text))) return false;
    if (by.node.type === 'VariableDeclarator') return isRequest(by.node['init'], steps + 1);
    // A function may get the request by any name.
    return isFunction(by.node) && (by.node['params'] as readonly SyntaxNode[]).includes(name.node);
  }
  /** Of `req.query`, of a variable that is it, and of what checks make of it. */
  function sourceOf(node: unknown, steps = 0): string | undefined {
    if (!isNode(node) || steps > mostSteps) return undefined;
    const { object, left, arguments: given } = node;
    if (wrappers.test(node.type)) return sourceOf(node['expression'] ?? node['argument'], steps + 1);
    if (node.type === 'LogicalExpression') return sourceOf(left, steps + 1);
    if (calls.test(node.type)) {
      const sources = checks.test(nameOf(node['callee'])) ? (given as readonly SyntaxNode[]) : [];
      return sources.map((each) => sourceOf(each, steps + 1)).find((each) => each !== undefined);
    }
    const key = keyOf(node) ?? '';
    if (isNode(object)) {
      if (/^(?:data|value)$/.test(key)) return sourceOf(object, steps + 1);
      return key === 'searchParams' || (inputs.test(key) && isRequest(object)) ? key : undefined;
    }
    const { name, by } = declarationOf(node) ?? {};
    if (name === undefined || by === undefined) return undefined;
    if (by.node.type === 'VariableDeclarator' && by.node['id'] === name.node)
      return sourceOf(by.node['init'], steps + 1);
    const declared = declaredAs(name, steps);
    return declared?.key === undefined ? declared?.source : undefined;
  }
  /** Of `@Query('tenant') tenant`, `({ query: { tenant } }) => …` and `const { tenant } = req.query`. */
  function declaredAs(name: NestedNode, steps = 0): InputRead | undefined {
    const keys: string[] = [];
    let top = name;
    for (let { parent } = name; parent !== undefined; { parent } = parent) {
      const { type } = parent.node;
      if (!/Pattern$|^ObjectProperty$|^RestElement$/.test(type)) break;
      if (type === 'ObjectProperty') keys.unshift(keyOf(parent.node) ?? '');
      top = parent;
    }
    const decorated = decorationOf(top.node);
    if (decorated !== undefined) return { source: decorated.source, key: decorated.key ?? keys[0] };
    const by = top.parent?.node;
    const ofWhole = by?.['id'] === top.node ? sourceOf(by['init'], steps + 1) : undefined;
    if (ofWhole !== undefined) return { source: ofWhole, key: keys[0] };
    const place = keys.findIndex((key) => inputs.test(key) || hosts.test(key));
    const source = keys[place];
    const isOfRequest = by !== undefined && (isFunction(by) || isRequest(by['init']) || isRequest(by['right']));
    return source === undefined || !isOfRequest ? undefined : { source, key: keys[place + 1] };
  }
  return (nested) => {
    const { node, parent } = nested;
    if (calls.test(node.type)) {
      const { callee } = node;
      const isGetter = isNode(callee) && /^(?:get|header|param)$/.test(keyOf(callee) ?? '');
      const key = firstText(node);
      return isGetter && key !== undefined && isRequest(callee['object']) ? { source: 'header', key } : undefined;
    }
    if (isNode(node['object'])) {
      const key = keyOf(node) ?? '';
      if (hosts.test(key) && isRequest(node['object'])) return { source: key, key: undefined };
      // `pool.query(text)`
      if (parent?.node['callee'] === node) return undefined;
    } else if (node.type !== 'Identifier') return undefined;
    const name = declarationOf(node)?.name;
    const declared = name === undefined ? undefined : declaredAs(name);
    if (declared?.key !== undefined) return declared;
    const source = sourceOf(node);
    return source === undefined ? undefined : { source, key: keyOfMember(nested) };
  };
}

/** Of an argument of a method of NestJS. */
function decorationOf({ decorators: own }: SyntaxNode): InputRead | undefined {
  for (const { expression } of Array.isArray(own) ? (own as readonly SyntaxNode[]) : []) {
    const name = nameOf(isNode(expression) ? expression['callee'] : undefined);
    if (isNode(expression) && decorators.test(name)) return { source: name.toLowerCase(), key: firstText(expression) };
  }
  return undefined;
}

function firstText({ arguments: given }: SyntaxNode): string | undefined {
  const [first] = Array.isArray(given) ? (given as readonly SyntaxNode[]) : [];
  return first?.type === 'StringLiteral' ? String(first['value']) : undefined;
}

/** The member that is read of a whole input. */
function keyOfMember({ node, parent }: NestedNode): string | undefined {
  if (parent === undefined) return undefined;
  if (wrappers.test(parent.node.type)) return keyOfMember(parent);
  if (parent.node['object'] !== node) return undefined;
  const key = keyOf(parent.node);
  if (/^(?:data|value)$/.test(key ?? '')) return keyOfMember(parent);
  return parent.parent?.node['callee'] === parent.node ? firstText(parent.parent.node) : key;
}
