import { type Called, calledOf, isCredentialName, isIssuing, readsHeaders } from './credential-names.js';
import { isSessionWritten, sessionNames } from './session-writes.js';
import { isNode, keyOf, type NestedNode, type SyntaxNode } from './syntax.js';
import { wrappers } from './values.js';

const calls = /^(?:(?:Optional)?Call|New)Expression$/;
const members = /^(?:Optional)?MemberExpression$/;
/** What an answer gets: `res.send(token)`, `new Response(token)`. */
const answers = /^(?:json|jsonp|send|end|write|redirect|render|Response)$/;
/** `res.set('X-Auth-Token', token)`, `query.append('token', token)` */
const setters = /^(?:set|setHeader|header|append|appendHeader|put|add)$/;
/** Functions that return what they get. */
const copies = /^(?:String|encodeURI(?:Component)?|stringify|from|resolve|freeze|assign)$/;
/** What looks at a credential, and returns something else. */
const checks = /^(?:is|has|can|check|verify|validate|decode|parse|count|revoke|compare|includes|some|every)(?![a-z])/;
/** `https://example.com/?token=` */
const parameter = /[?&#](\w{1,64})=/g;

/**
 * Whether handlers give out a credential, or begin a session, by the names in their syntax tree. It may be wrong either
 * way: a route that it closes costs one line of the list.
 */
export function givesCredential(nodes: readonly NestedNode[]): boolean {
  const sessions = sessionNames(nodes);
  return nodes.some(
    (nested) => isNamed(nested) || isAnswer(nested) || isIssued(nested) || isSessionWritten(nested, sessions),
  );
}

/** A member that is named like a credential, also in shorthand, or has one as its value. */
function isNamed(nested: NestedNode): boolean {
  const { node, parent } = nested;
  if (node.type === 'AssignmentExpression') {
    const { left } = node;
    // What an inline middleware keeps in the request is no answer.
    const isKept = isNode(left) && isNode(left['object']) && /^req(?:uest)?$/.test(String(left['object']['name']));
    return isNode(left) && members.test(left.type) && !isKept && isCredentialName(keyOf(left) ?? '');
  }
  if (parent?.node.type !== 'ObjectExpression' || isOfRequestSchema(nested)) return false;
  return isCredentialName(keyOf(node) ?? '') || isCredential(node['value'] ?? node['argument']);
}

/** The `schema` of Fastify describes the headers that a request has. */
function isOfRequestSchema({ parent }: NestedNode): boolean {
  for (let each = parent; each !== undefined; each = each.parent) {
    const isInput = /^(?:headers|querystring|query|params|body)$/.test(keyOf(each.node) ?? '');
    const outer = each.parent?.parent?.node;
    if (isInput && outer?.type === 'ObjectProperty' && keyOf(outer) === 'schema') return true;
  }
  return false;
}

function isAnswer({ node }: NestedNode): boolean {
  const { type, left, right, argument, body } = node;
  if (type === 'ReturnStatement') return isCredential(argument);
  if (type === 'ArrowFunctionExpression') return isCredential(body);
  if (type === 'AssignmentExpression') return isNode(left) && keyOf(left) === 'body' && isCredential(right);
  return calls.test(type) && answers.test(calledOf(node).name) && argumentsOf(node).some(isCredential);
}

function isIssued({ node }: NestedNode): boolean {
  const text = node.type === 'TemplateElement' ? (node['value'] as { raw: string }).raw : node['value'];
  if (/^(?:StringLiteral|TemplateElement)$/.test(node.type)) {
    return [...String(text).matchAll(parameter)].some(([, name = '']) => isCredentialName(name));
  }
  if (!calls.test(node.type)) return false;
  const called = calledOf(node);
  const given = argumentsOf(node);
  const [first] = given;
  const isSet = setters.test(called.name) && given.length > 1 && first?.type === 'StringLiteral';
  return isIssuing(called, given.some(readsHeaders)) || (isSet && isCredentialName(String(first['value'])));
}

/** Whether a value is named like a credential, or has one in it. */
function isCredential(value: unknown): boolean {
  if (!isNode(value)) return false;
  const { type, expression, argument, object, left, right, consequent, alternate, expressions, elements } = value;
  if (wrappers.test(type) || type === 'SpreadElement') return isCredential(expression ?? argument);
  if (type === 'Identifier') return isCredentialName(String(value['name']));
  if (members.test(type)) {
    // All that the process knows.
    if (isNode(object) && object['name'] === 'process' && keyOf(value) === 'env') return true;
    const isPart = /^(?:value|raw|text|string|data)$/.test(keyOf(value) ?? '');
    return isCredentialName(keyOf(value) ?? '') || (isPart && isCredential(object));
  }
  if (calls.test(type)) return isCredentialCall(calledOf(value), argumentsOf(value));
  if (type === 'BinaryExpression' && value['operator'] !== '+') return false;
  const tested = value['operator'] === '&&' ? undefined : left;
  const parts = [tested, right, consequent, alternate, expressions, elements];
  return parts.flat().some(isCredential);
}

function isCredentialCall({ name, owner }: Called, given: readonly SyntaxNode[]): boolean {
  if (checks.test(name)) return false;
  return isCredentialName(name) || isCredentialName(owner) || (copies.test(name) && given.some(isCredential));
}

function argumentsOf({ arguments: given }: SyntaxNode): readonly SyntaxNode[] {
  return Array.isArray(given) ? (given as readonly SyntaxNode[]) : [];
}
