import { isConverter, isPattern } from './converters.js';
import { isNode, type NestedNode, type SyntaxNode } from './syntax.js';
import { isConstant, isSameOrNothing, textOf, wrappers } from './values.js';

/** What a parameter becomes: code in which `$` is the parameter. */
export type Code = string;

export const asText: Code = '$';
export const asNumber: Code = 'Number($)';

/** How an expression uses a parameter; undefined if that is not known. */
export type Use =
  /** `isCheck`: only a condition depends on it. */
  | KnownUse
  /** It becomes a variable. */
  | { readonly kind: 'variable'; readonly code: Code; readonly declares: SyntaxNode; readonly isPart: boolean }
  /** A function gets it. */
  | {
      readonly kind: 'argument';
      readonly code: Code;
      readonly call: NestedNode;
      readonly index: number;
      readonly isPart: boolean;
    }
  /** A method makes another value of it. */
  | { readonly kind: 'derived'; readonly code: Code; readonly call: NestedNode }
  /** The function around this node returns it. */
  | { readonly kind: 'returned'; readonly code: Code; readonly by: NestedNode; readonly isPart: boolean };

export interface KnownUse {
  readonly kind: 'known';
  readonly code: Code;
  readonly isCheck: boolean;
  /** It is compared with this text. */
  readonly constant?: string | undefined;
}

const calls = /^(?:(?:Optional)?Call|New)Expression$/;
/** What has its parts, or may be one of them. */
const wholes = /^(?:Object|Array|Conditional|Logical)Expression$|^(?:ObjectProperty|SpreadElement)$/;
/** What may have an id of its own. */
const inputs = /\b(?:body|query|headers|\w*[iI]nput|\w*[dD]to|\w*[pP]ayload)\b/;
const conditions = /^(?:If|While|DoWhile|For|Expression)Statement$/;
/** Where a value is used as it is. */
const takers = /^(?:SwitchStatement|SwitchCase|JSXExpressionContainer)$/;
export const returns: RegExp = /^(?:ReturnStatement|ArrowFunctionExpression)$/;
export const koaAnswer: RegExp = /^(?:ctx|context)\.(?:response\.)?body$/;
const numberChecks = /^(?:(?:Number\.)?is(?:NaN|Finite)|Number\.is(?:Safe)?Integer)$/;
export const logs: RegExp = /(?:^|\.)(?:console|log|[lL]ogger)\??\.(?:log|trace|debug|verbose|info|warn|error|fatal)$/;

/** Of an expression whose value is the `code` of a parameter. */
export function useOf({ node, parent }: NestedNode, code: Code, text: string): Use | undefined {
  if (parent === undefined) return undefined;
  const around = parent.node;
  const { type } = around;
  const become = (next: Code | undefined): Use | undefined =>
    next === undefined ? undefined : useOf(parent, next, text);
  const used = known(code, false);
  const checked = known(code, true);
  if (wrappers.test(type)) return become(code);
  if (conditions.test(type)) return checked;
  if (takers.test(type)) return used;
  if (returns.test(type)) return { kind: 'returned', code, by: parent, isPart: false };
  switch (type) {
    case 'LogicalExpression':
    case 'ConditionalExpression':
      return inChoice(node, parent, code, text);
    case 'UnaryExpression':
      if (around['operator'] === '+') return become(converted(code, asNumber));
      return /^(?:!|typeof|void)$/.test(String(around['operator'])) ? checked : undefined;
    case 'BinaryExpression':
      return inBinary(node, parent, code, text);
    case 'TemplateLiteral':
      // `${id}`
      return textOf(around, text).slice(3, -2).trim() === textOf(node, text)
        ? become(code)
        : asPartOfText(parent, code, text);
    case 'CallExpression':
    case 'OptionalCallExpression':
      return asArgument(node, parent, code, text);
    case 'NewExpression':
      return /(?:Error|Exception)\w*$/.test(textOf(around['callee'], text)) ? used : undefined;
    case 'MemberExpression':
    case 'OptionalMemberExpression':
      return around['property'] === node ? used : ofMember(parent, code, text);
    case 'ArrayExpression':
    case 'ObjectProperty':
      return useOfPart({ node, parent }, code, text);
    case 'VariableDeclarator':
      return asVariable(node, parent, code, false);
    case 'AssignmentExpression':
      // Whoever reads that member may convert a text.
      return code !== asText && isNode(around['left']) && around['left'].type === 'MemberExpression' ? used : undefined;
    default:
      return undefined;
  }
}

function known(code: Code, isCheck: boolean): KnownUse {
  return { kind: 'known', code, isCheck };
}

function asVariable(
  node: SyntaxNode,
  { node: { init, id } }: NestedNode,
  code: Code,
  isPart: boolean,
): Use | undefined {
  return init === node && isNode(id) ? { kind: 'variable', code, declares: id, isPart } : undefined;
}

/** Of an object or array that has the `code` of a parameter, or of what becomes part of one. */
export function useOfPart({ node, parent }: NestedNode, code: Code, text: string): Use | undefined {
  if (parent === undefined) return undefined;
  const { type, left, right, operator, property } = parent.node;
  if (type === 'ObjectProperty' && (isPattern(textOf(parent.node['key'], text)) || isReplaced(parent, text))) {
    return undefined;
  }
  if (wrappers.test(type) || wholes.test(type)) return useOfPart(parent, code, text);
  // A longer text, too.
  if (type === 'TemplateLiteral' || (type === 'BinaryExpression' && operator === '+'))
    return useOfPart(parent, code, text);
  if (/^(?:[!=]==|in)$/.test(String(operator)) || property === node) return known(code, false);
  if (type === 'VariableDeclarator') return asVariable(node, parent, code, true);
  if (type === 'AssignmentExpression') {
    // Whoever reads another member may convert the part.
    return right === node && koaAnswer.test(textOf(left, text)) ? known(code, false) : undefined;
  }
  if (type === 'MemberExpression') {
    return parent.parent?.node['left'] === parent.node ? known(code, true) : undefined;
  }
  if (calls.test(type)) return givenTo(parent, node, code, text, true);
  if (conditions.test(type)) return known(code, true);
  if (returns.test(type)) return { kind: 'returned', code, by: parent, isPart: true };
  return takers.test(type) ? known(code, false) : undefined;
}

/** `{ id, ...req.body }` */
function isReplaced({ node, parent }: NestedNode, text: string): boolean {
  const properties = parent?.node['properties'];
  const later = Array.isArray(properties) ? properties.slice(properties.indexOf(node)) : [];
  return later.some((each) => isNode(each) && each.type === 'SpreadElement' && inputs.test(textOf(each, text)));
}

/** `id || other`, `test ? id : other`: another value must be nothing, or made of the same text. */
function inChoice(node: SyntaxNode, parent: NestedNode, code: Code, text: string): Use | undefined {
  const { operator, left, right, test, consequent, alternate } = parent.node;
  if (test === node || (operator === '&&' && left === node)) return known(code, true);
  const outer = useOf(parent, code, text);
  if (operator === '&&' || (outer?.kind === 'known' && outer.isCheck)) return outer;
  const other = [left, right, consequent, alternate].find((each) => isNode(each) && each !== node);
  // A permit without an id is refused, so what the handler would use in its place is not reached.
  const isFirst = left === node && (operator === '??' || code === asText || textOf(other, text) === '0');
  return isFirst || isSameOrNothing(other, node, text) ? outer : undefined;
}

function inBinary(node: SyntaxNode, parent: NestedNode, code: Code, text: string): Use | undefined {
  const { operator, left, right } = parent.node;
  const other = left === node ? right : left;
  const used = known(code, false);
  switch (operator) {
    case '+':
      return /^(?:''|"")$/.test(textOf(other, text)) ? useOf(parent, code, text) : asPartOfText(parent, code, text);
    case '-':
      return code === asText ? undefined : used;
    case '<':
    case '>':
    case '<=':
    case '>=':
      return known(converted(code, asNumber) ?? code, true);
    case '===':
    case '!==':
      return isConstant(other) ? comparedWith(other, code) : used;
    case '==':
    case '!=':
      if (isConstant(other)) return comparedWith(other, code);
      // '01' == 1
      return code === asText && !/^(?:String\(|`)|\.toString\(\)$/.test(textOf(other, text)) ? undefined : used;
    default:
      return undefined;
  }
}

function comparedWith(constant: SyntaxNode, code: Code): KnownUse {
  const { type, value } = constant;
  return { ...known(code, true), constant: type === 'StringLiteral' && value !== '' ? String(value) : undefined };
}

/** A longer text, of which a number could be made. */
function asPartOfText(whole: NestedNode, code: Code, text: string): Use | undefined {
  const outer = useOf(whole, asText, text);
  if (outer?.code !== asText) return undefined;
  if (outer.kind === 'known') return known(code, outer.isCheck);
  return outer.kind === 'derived' ? { ...outer, code } : { ...outer, code, isPart: true };
}

function asArgument(node: SyntaxNode, call: NestedNode, code: Code, text: string): Use | undefined {
  const called = textOf(call.node['callee'], text);
  const given = call.node['arguments'];
  if (!Array.isArray(given) || !given.includes(node)) return undefined;
  const name = called.split(/\W/).at(-1) ?? '';
  if (numberChecks.test(called)) return known(converted(code, asNumber) ?? code, true);
  if (name === 'test') return { kind: 'derived', code, call };
  if (/^(?:Boolean|Array\.isArray)$/.test(called)) return known(code, true);
  if (/^(?:String|Promise\.resolve)$/.test(called) && given.length === 1) return useOf(call, code, text);
  const conversion = conversionBy(called, given as readonly SyntaxNode[], text);
  if (conversion !== undefined && given[0] === node) {
    const next = converted(code, conversion);
    return next === undefined ? undefined : useOf(call, next, text);
  }
  return conversion === undefined ? givenTo(call, node, code, text) : undefined;
}

function givenTo(call: NestedNode, argument: SyntaxNode, code: Code, text: string, isPart = false): Use | undefined {
  const given = call.node['arguments'];
  if (!Array.isArray(given) || !given.includes(argument)) return undefined;
  // `Array.from([id], Number)`
  const converts = given.some((each) => conversionBy(textOf(each, text), [], text) !== undefined);
  // Behind a spread, the place is not known.
  const index = given.some((each) => isNode(each) && each.type === 'SpreadElement') ? -1 : given.indexOf(argument);
  const called = textOf(call.node['callee'], text);
  const isUnknown = converts || isConverter(called, index, isPart);
  return isUnknown ? undefined : { kind: 'argument', code, call, index, isPart };
}

/** What a call makes of its first argument; empty if it is known to convert, but not how. */
function conversionBy(called: string, given: readonly SyntaxNode[], text: string): Code | undefined {
  if (called === 'Number') return asNumber;
  if (!/^(?:Number\.)?(?:parseInt|parseFloat)$|^BigInt$/.test(called)) return undefined;
  const [, radix] = given;
  if (radix === undefined) return `${called}(String($))`;
  return radix.type === 'NumericLiteral' && given.length === 2 ? `${called}(String($), ${textOf(radix, text)})` : '';
}

/** What a conversion makes of a value. Of safe integers, and others are refused, a second one makes the same. */
function converted(code: Code, next: Code): Code | undefined {
  if (next === '' || code === asText) return next || undefined;
  const isSame = !/, (?!10\))/.test(next) && (next.startsWith('BigInt') || !code.startsWith('BigInt'));
  return isSame ? code : undefined;
}

function ofMember(member: NestedNode, code: Code, text: string): Use | undefined {
  const [call, name] = [member.parent, textOf(member.node['property'], text)];
  // The parts of a split id are ids of their own: `ids.map(find)`.
  if (member.node['computed'] === true || name === 'split') return undefined;
  if (name === 'length') return known(code, true);
  if (call === undefined || call.node['callee'] !== member.node) return undefined;
  if (name === 'toString' && textOf(call.node, text).endsWith('()')) return useOf(call, code, text);
  return { kind: 'derived', code, call };
}
