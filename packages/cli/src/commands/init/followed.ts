import { type Bindings, isVariable } from './bindings.js';
import type { Callees } from './callees.js';
import type { Reach } from './reach.js';
import { functionAround, nameOf } from './results.js';
import { isFunction, isNode, keyOf, type NestedNode, type SyntaxNode } from './syntax.js';
import { isLogged } from './trace.js';
import { wrappers } from './values.js';

/** What a request has by itself, and a context of Koa. Any other member may be made of the path: `req.organization`. */
const ownMembers =
  /^(?:params|query|body|headers?|get|cookies|signedCookies|method|ip|log|status|type|set|throw|assert)$/;
/** They have the request, or what another handler left. */
const carriers = /^(?:req|request|raw|locals)$/;
const decorators = /^(?:Param|Query|Body|Headers|Ip|Res|Response|Next)$/;

/**
 * Whether nothing but the code of this file gets the request of a route, so that it uses no other parameter of the path
 * than it names.
 */
export function isFollowed(
  { nodes, handlers, outer }: Reach,
  names: readonly string[],
  { usesOf, namedBy }: Bindings,
  { calleesOf }: Callees,
  text: string,
): boolean {
  const followed = new Set<SyntaxNode>();
  // `app.param('user', …)` may make `req.user`.
  const isOwn = (key: string): boolean => ownMembers.test(key) && (key === 'params' || !names.includes(key));

  /** Whether all is known that is done with a variable that is the request. */
  function isVariableFollowed(declared: unknown): boolean {
    if (!isNode(declared)) return false;
    const { properties } = declared;
    if (Array.isArray(properties)) {
      return (properties as readonly SyntaxNode[]).every((each) => {
        const key = keyOf(each) ?? '';
        return carriers.test(key) ? isVariableFollowed(each['value']) : isOwn(key);
      });
    }
    if (declared.type !== 'Identifier') return false;
    if (followed.has(declared)) return true;
    followed.add(declared);
    return usesOf(declared).every(isUseFollowed);
  }
  function isUseFollowed(use: NestedNode): boolean {
    const { node, parent } = use;
    if (parent === undefined) return false;
    const { type, object, init, id, callee, arguments: given } = parent.node;
    if (isLogged(use, text)) return true;
    if (wrappers.test(type)) return isUseFollowed(parent);
    if (init === node) return isVariableFollowed(id);
    if (object === node) {
      const key = keyOf(parent.node) ?? '';
      if (!carriers.test(key)) return isOwn(key);
      followed.add(parent.node);
      return isUseFollowed(parent);
    }
    const index = Array.isArray(given) ? given.indexOf(node) : -1;
    const callees = index === -1 ? [] : calleesOf(callee);
    return (
      callees.length > 0 &&
      callees.every((each) => isFunction(each) && isVariableFollowed((each['params'] as readonly SyntaxNode[])[index]))
    );
  }
  function isHandlerFollowed(handler: SyntaxNode): boolean {
    const parameters = handler['params'] as readonly SyntaxNode[];
    if (!Array.isArray(handler['decorators'])) return parameters.length === 0 || isVariableFollowed(parameters[0]);
    return parameters.every((each) => {
      const own = Array.isArray(each['decorators']) ? (each['decorators'] as readonly SyntaxNode[]) : [];
      const called = own.map(({ expression }) => nameOf(isNode(expression) ? expression['callee'] : undefined));
      if (called.some((name) => /^(?:Req|Request)$/.test(name))) return isVariableFollowed(each);
      return called.length > 0 && called.every((name) => decorators.test(name));
    });
  }
  /** What may be a function of another file, or get one that is not followed. */
  function isForeign(nested: NestedNode): boolean {
    const { type, callee } = nested.node;
    // A decorator stands before the argument that has it.
    if (handlers.has(functionAround(nested)?.node ?? nested.node)) return false;
    const isName = type === 'Identifier' ? isVariable(nested) : type === 'ThisExpression';
    return (isName && namedBy(nested).length === 0) || calleesOf(callee).length > 0;
  }
  /** `res.req`, `res.locals`, `this.request`, `arguments` */
  function isCarrier(nested: NestedNode): boolean {
    const { node } = nested;
    if (node.type === 'Identifier') return node['name'] === 'arguments' && isVariable(nested);
    return isNode(node['object']) && carriers.test(keyOf(node) ?? '') && !followed.has(node);
  }
  const all = [...nodes];
  return (
    handlers.size > 0 && ![...outer].some(isForeign) && [...handlers].every(isHandlerFollowed) && !all.some(isCarrier)
  );
}
