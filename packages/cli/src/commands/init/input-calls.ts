import type { Bindings } from './bindings.js';
import { logs } from './read-use.js';
import { looksUp, nameOf } from './results.js';
import { isFunction, isNode, keyOf, type NestedNode, type SyntaxNode } from './syntax.js';
import { textOf, wrappers } from './values.js';

export const calls: RegExp = /^(?:(?:Optional)?Call|New)Expression$/;
const questions = /^(?:is|has|check|assert|verify|validate|(?:safe)?[pP]arse)(?![a-z])/;
/** Names of functions that do more than they ask: `validateAndSave`, but not `validateOrReject`. */
const deeds = /(?:And|Then|Or(?!Throw|Reject|Fail)|In|Out)(?![a-z])|_(?:and|or|then)_/;
const readers = /^(?:Object\.(?:keys|values|entries)|Array\.isArray|Boolean)$/;
const texts = /^(?:JSON\.stringify|String)$/;
const conversions = /^(?:String|Number|BigInt|(?:Number\.)?parse(?:Int|Float))$|\.toString$/;
const merges = /assign|merge|extend|default|combine|mixin|appl(?:y|ies)|copy|define|fill/i;
const answerMethods =
  /^(?:json|jsonp|send|render|view|end|write|code|status|sendStatus|header|setHeader|set|type|redirect|attachment)$/;
const responses = /^(?:_?res|response|reply)$/;
const answerOwners = /^(?:_?res|\w*Res|response|\w*Response|rep|reply|ctx|context)(?:\.(?:res|response|raw))?$/;

/** Whether a function only asks about its argument, and keeps nothing of it. */
export function isQuestion({ node }: NestedNode, text: string): boolean {
  const name = nameOf(node['callee']);
  return readers.test(textOf(node['callee'], text)) || (questions.test(name) && !deeds.test(name));
}

/** Whether a function makes a text, whose members replace no others. */
export function isText({ node }: NestedNode, text: string): boolean {
  return texts.test(textOf(node['callee'], text));
}

/** Whether a function copies the members of its arguments into the first one. */
export function isMerge({ node }: NestedNode): boolean {
  const given = node['arguments'] as readonly SyntaxNode[];
  return given.length > 1 && merges.test(nameOf(node['callee']));
}

/** Whether a call writes a log, makes the response, or makes an error of its arguments. */
export function isAnswered({ node }: NestedNode, text: string): boolean {
  const { callee } = node;
  const called = textOf(callee, text);
  if (called === 'next' || logs.test(called) || isAnswer(callee, text)) return true;
  if (node.type === 'NewExpression') return /(?:Error|Exception)$/.test(called);
  const [first] = node['arguments'] as readonly SyntaxNode[];
  // `ok(res, item)`
  return isNode(callee) && callee.type === 'Identifier' && !looksUp(called) && responses.test(textOf(first, text));
}

/** `res.status(201).json`: each method of the chain is one of a response, which `this.cache.set` is not. */
function isAnswer(callee: unknown, text: string): boolean {
  if (!isNode(callee) || !isNode(callee['object']) || !answerMethods.test(keyOf(callee) ?? '')) return false;
  const { object } = callee;
  return calls.test(object.type) ? isAnswer(object['callee'], text) : answerOwners.test(textOf(object, text));
}

/** The call whose callee begins with all the calls of a chain: `db.update(items).set(req.body).where(…)`. */
export function chainAround(call: NestedNode): NestedNode {
  const { parent } = call;
  if (parent === undefined) return call;
  const { type, object, callee } = parent.node;
  const isNext = object === call.node && !/^(?:then|catch|finally)$/.test(keyOf(parent.node) ?? '');
  return isNext || callee === call.node || wrappers.test(type) ? chainAround(parent) : call;
}

/** Whether a variable may be an object that a function changes: it has what another call found, and no id. */
export function mayBeChanged(name: SyntaxNode, { declarationOf }: Bindings, text: string): boolean {
  const by = name.type === 'Identifier' ? declarationOf(name)?.by : undefined;
  if (by === undefined) return false;
  const given = by.parent?.node['arguments'];
  if (isFunction(by.node)) return Array.isArray(given) && given.includes(by.node);
  const { init } = by.node;
  const value = isNode(init) && wrappers.test(init.type) ? (init['expression'] ?? init['argument']) : init;
  return isNode(value) && calls.test(value.type) && !conversions.test(textOf(value['callee'], text));
}
