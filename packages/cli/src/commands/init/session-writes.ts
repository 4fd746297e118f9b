import { calledOf } from './credential-names.js';
import { isNode, keyOf, type NestedNode, type SyntaxNode } from './syntax.js';
import { wrappers } from './values.js';

const sessionName = /^(?:\w{0,64}[sS]ession|sess)$/;
/** A session of a database has `run` and `query`. */
const changes = /^(?:set|put|push|add|unshift|splice|assign|update|create|regenerate|reset|flash|login)$/;
const assigns = /^(?:assign|set|merge|extend|defaults|defaultsDeep|define(?:Property|Properties))$/;

/** The variables that are a session under another name: `const s = req.session`, `@Session() s`. */
export function sessionNames(nodes: readonly NestedNode[]): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { node } of nodes) {
    const { id, init, decorators, key, value } = node;
    if (isNode(id) && isSession(init, names)) names.add(String(id['name']));
    const isRenamed = node.type === 'ObjectProperty' && isNode(key) && sessionName.test(keyOf(node) ?? '');
    if (isRenamed && isNode(value)) names.add(String(value['name']));
    const decorated = Array.isArray(decorators) ? (decorators as readonly SyntaxNode[]) : [];
    const isGiven = decorated.some(({ expression }) => isNode(expression) && calledOf(expression).name === 'Session');
    if (isGiven) names.add(String(node['name']));
  }
  names.delete('undefined');
  return names;
}

/** `req.session.userId = id`, `req.session['userId'] = id`, `Object.assign(req.session, user)`, `session.set('user', id)` */
export function isSessionWritten({ node }: NestedNode, names: ReadonlySet<string>): boolean {
  const { type, left, argument, operator, callee, arguments: given } = node;
  const isChanged = type === 'UpdateExpression' || (type === 'UnaryExpression' && operator === 'delete');
  if (isChanged) return isWritten(argument, names);
  if (/^(?:AssignmentExpression|For(?:In|Of)Statement)$/.test(type)) return isWritten(left, names);
  if (!isNode(callee) || !Array.isArray(given)) return false;
  const { name } = calledOf(node);
  return (assigns.test(name) && isOfSession(given[0], names)) || (changes.test(name) && isOfSession(callee, names));
}

/** Whether what is assigned is a member of a session, also within a pattern. */
function isWritten(target: unknown, names: ReadonlySet<string>): boolean {
  if (!isNode(target) || target.type === 'Identifier') return false;
  const { elements, properties, value, argument, left } = target;
  if (isNode(target['object'])) return isOfSession(target, names);
  return [elements, properties, value, argument, left, unwrapped(target)]
    .flat()
    .some((each) => each !== target && isWritten(each, names));
}

/** A session, or a member of one. */
function isOfSession(value: unknown, names: ReadonlySet<string>): boolean {
  const node = unwrapped(value);
  return isNode(node) && (isSession(node, names) || isOfSession(node['object'], names));
}

function isSession(value: unknown, names: ReadonlySet<string>): boolean {
  const node = unwrapped(value);
  if (!isNode(node)) return false;
  if (node.type === 'Identifier') return names.has(String(node['name'])) || sessionName.test(String(node['name']));
  return isNode(node['object']) && sessionName.test(keyOf(node) ?? '');
}

function unwrapped(value: unknown): unknown {
  if (!isNode(value) || !wrappers.test(value.type)) return value;
  return unwrapped(value['expression'] ?? value['argument']);
}
