import type { Bindings } from './bindings.js';
import { koaAnswer, logs } from './read-use.js';
import { isFunction, isNode, keyOf, type NestedNode, type SyntaxNode } from './syntax.js';
import { isConstant, isSameOrNothing, textOf, wrappers } from './values.js';

/** Whether a result may become a key, an argument or anything else than a condition or a response. */
export type IsHandedOn = (result: NestedNode) => boolean;

/** Functions that look a value up, or change what it names: their results are no other name of it. */
const lookUps =
  /^\$?(?:get|find|fetch|load|read|retrieve|look[uU]p|query|select|list|search|browse|one|first|many|any|none|all|each|run|execute|sql|and|or|(?:and|or)?[wW]here|having|eq|equals?|in|includes|not|is|has|exists?|can|count|del|delete|remove|destroy|update|upsert|set|put|patch|post|save|store|create|insert|add|push|modify|edit|change|by|ref|doc|filter|some|every|map)(?![a-z])/;
/** `getKey`, but not `getByKey`. */
const otherNames = /^(?!.*By[A-Z]).*(?:Ids?|Key|Slug|Hash|Digest|U[uU]id|Int)$/;
const responses =
  /^(?:\w*[rR]es(?:ponse)?|rep(?:ly)?|ctx|context|h|this)\b.*\.(?:json|jsonp|send|render|view|end|write|code|status|sendStatus|header|setHeader|set|type|redirect|attachment)$|^(?:next|done|reject|assert|Boolean|Array\.isArray)$|(?:Error|Exception)\w*$/;
/** `ok(res, item)` */
const response = /^(?:res|response|reply)$/;
/** Functions that make a response of what they get. */
const views =
  /^(?:to(?=[A-Z])|serializ|present|format|stringify|pick|omit|plainTo|instanceTo|view|\w*(?:Dto|DTO|View|Response|Presenter)$)/;
/** `history.filter((entry) => …)` chooses by what its callback returns. */
const choices = /^(?:find\w*|filter|some|every|(?:toS|s)ort|reduce\w*)$/;
/** Built-in functions, and those of lodash, whose result is followed in their place. */
const copies = /^(?:Date|(?:Object|Promise|Array|_|lodash)\.\w+)$/;
const parts = /^(?:ObjectExpression|ArrayExpression|SpreadElement|TemplateLiteral)$/;
const ends = /^(?:Expression|If|While|DoWhile|Throw)Statement$/;
const calls = /^(?:(?:Optional)?Call|New)Expression$/;

/** `new GetItemCommand({ id })` */
const messages = /(?:Command|Query|Event|Request|Message)$/;

/** Whether a function of another file, by its name, uses what it gets as a key. */
export function looksUp(name: string): boolean {
  return (lookUps.test(name) && !otherNames.test(name)) || messages.test(name);
}

export function readResults(
  handlers: ReadonlySet<SyntaxNode>,
  { usesOf, declarationOf }: Bindings,
  text: string,
): IsHandedOn {
  const seen = new Set<SyntaxNode>();
  function ofVariable(declared: unknown): boolean {
    return namesIn(declared).some((name) => usesOf(name).some(isHandedOn));
  }
  function ofCall(call: NestedNode): boolean {
    const given = call.node['arguments'] as readonly SyntaxNode[];
    const callbacks = given.filter(isFunction).flatMap(({ params }) => params as readonly SyntaxNode[]);
    return isHandedOn(call) || callbacks.some(ofVariable);
  }
  function isGivenOn(value: SyntaxNode, call: NestedNode): boolean {
    if (call.node['callee'] === value) return true;
    const called = textOf(call.node['callee'], text);
    const name = called.split(/\W/).at(-1) ?? '';
    const given = call.node['arguments'] as readonly SyntaxNode[];
    const isAnswer = given.some((each) => each !== value && response.test(textOf(each, text)));
    if (isAnswer || responses.test(called) || logs.test(called)) return false;
    return !(views.test(name) || copies.test(called)) || isHandedOn(call);
  }
  function isReturnedOn(by: NestedNode): boolean {
    const called = functionAround(by);
    if (called === undefined || handlers.has(called.node)) return called === undefined;
    const { parent } = called;
    // A callback: `find(id).then((item) => item.name)`
    if (parent !== undefined && calls.test(parent.node.type) && parent.node['callee'] !== called.node) {
      const { callee } = parent.node;
      const isOwn = isNode(callee) && isNode(callee['object']) && seen.has(callee['object']);
      return (!isOwn && choices.test(nameOf(callee))) || isHandedOn(parent);
    }
    return callsOf(called, usesOf)?.some(isHandedOn) ?? true;
  }
  function isHandedOn({ node, parent }: NestedNode): boolean {
    if (parent === undefined) return true;
    if (seen.has(node)) return false;
    seen.add(node);
    const around = parent.node;
    const { type, left, right, operator } = around;
    if (wrappers.test(type) || parts.test(type)) return isHandedOn(parent);
    if (ends.test(type)) return false;
    if (calls.test(type)) return isGivenOn(node, parent);
    switch (type) {
      case 'ObjectProperty':
        return around['value'] !== node || isHandedOn(parent);
      case 'LogicalExpression':
        return !(operator === '&&' && left === node) && isHandedOn(parent);
      case 'ConditionalExpression':
        return around['test'] !== node && isHandedOn(parent);
      case 'UnaryExpression':
        return !/^(?:!|typeof|void|delete)$/.test(String(operator));
      case 'BinaryExpression':
        if (/^[-+*/%]$/.test(String(operator))) return isHandedOn(parent);
        return operator !== 'instanceof' && !isConstant(left === node ? right : left);
      case 'MemberExpression':
      case 'OptionalMemberExpression': {
        if (around['object'] !== node) return true;
        const { parent: outer } = parent;
        return outer?.node['callee'] === around ? ofCall(outer) : isHandedOn(parent);
      }
      case 'VariableDeclarator':
        return ofVariable(around['id']);
      case 'ForOfStatement':
        return right !== node || ofVariable(left);
      case 'AssignmentExpression': {
        if (left === node || koaAnswer.test(textOf(left, text))) return false;
        const declared = isNode(left) ? declarationOf(left)?.name.node : undefined;
        return declared === undefined || ofVariable(declared);
      }
      case 'ReturnStatement':
      case 'ArrowFunctionExpression':
        return isReturnedOn(parent);
      default:
        return true;
    }
  }
  return (result) => {
    seen.clear();
    return calls.test(result.node.type) ? ofCall(result) : isHandedOn(result);
  };
}

/** The choice in which a value is, as a part of a branch, while the other branch lacks it: `all ? { id: 1 } : { id }`. */
export function choiceAround(value: NestedNode, isPart: boolean, text: string): NestedNode | undefined {
  let isInPart = isPart;
  let inner = value;
  for (let { parent } = value; parent !== undefined; { parent } = parent) {
    const { type, test, operator, left, right, consequent, alternate } = parent.node;
    const isChoice = /^(?:Conditional|Logical)Expression$/.test(type);
    if (!isChoice && type !== 'ObjectProperty' && !parts.test(type) && !wrappers.test(type)) return undefined;
    const branches = [left, right, consequent, alternate];
    const other = branches.find((each) => isNode(each) && each !== inner.node);
    const isBranch = isInPart && isChoice && test !== inner.node && operator !== '&&' && branches.includes(inner.node);
    if (isBranch && !isSameOrNothing(other, undefined, text) && !hasWord(textOf(other, text), textOf(value.node, text)))
      return parent;
    isInPart ||= !isChoice && !wrappers.test(type);
    inner = parent;
  }
  return undefined;
}

/** Whether code has a name, other than in texts and keys. */
export function hasWord(code: string, word: string): boolean {
  return code
    .replaceAll(/(['"])[^'"\n]*\1|[\w$]{1,100}\s{0,20}:/g, ' ')
    .split(/[^\w$.]+/)
    .includes(word);
}

/** The variables that a pattern declares. */
export function namesIn(pattern: unknown): readonly SyntaxNode[] {
  if (!isNode(pattern)) return [];
  if (pattern.type === 'Identifier') return [pattern];
  const { declarations, id, elements, properties, left, argument, value } = pattern;
  return [declarations, id, elements, properties, left, argument, value].flat().flatMap(namesIn);
}

/** The name by which a function is called. */
export function nameOf(callee: unknown): string {
  if (!isNode(callee)) return '';
  const inner = callee['expression'];
  if (isNode(inner)) return nameOf(inner);
  return keyOf(callee) ?? (callee.type === 'Identifier' ? String(callee['name']) : '');
}

export function functionAround(nested: NestedNode | undefined): NestedNode | undefined {
  return nested === undefined || isFunction(nested.node) ? nested : functionAround(nested.parent);
}

/** All calls of a function; undefined if something else may be done with it, or with what it returns. */
export function callsOf(called: NestedNode | undefined, usesOf: Bindings['usesOf']): readonly NestedNode[] | undefined {
  if (called === undefined || called.node['async'] === true || called.node['generator'] === true) return undefined;
  const { type, id } = called.node;
  const by = type === 'FunctionDeclaration' ? called.node : called.parent?.node;
  const declared = by === called.node || (by?.['init'] === called.node && !isNode(id)) ? by['id'] : undefined;
  if (!isNode(declared) || declared.type !== 'Identifier') return undefined;
  const found = usesOf(declared).flatMap(({ node, parent }) =>
    parent?.node['callee'] === node && parent.node.type === 'CallExpression' ? parent : [],
  );
  return found.length > 0 && found.length === usesOf(declared).length ? found : undefined;
}
