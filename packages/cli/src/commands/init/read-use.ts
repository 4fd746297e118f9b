import { isNode, type NestedNode, type SyntaxNode } from './syntax.js';

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
  /** The function around this node returns it. */
  | { readonly kind: 'returned'; readonly code: Code; readonly by: NestedNode; readonly isPart: boolean };

export interface KnownUse {
  readonly kind: 'known';
  readonly code: Code;
  readonly isCheck: boolean;
}

export const wrappers: RegExp =
  /^(?:TS(?:As|NonNull|Satisfies)Expression|TSTypeAssertion|ParenthesizedExpression|AwaitExpression)$/;
const calls = /^(?:(?:Optional)?Call|New)Expression$/;
/** What has its parts, or may be one of them. */
const wholes = /^(?:Object|Array|Conditional|Logical)Expression$|^(?:ObjectProperty|SpreadElement)$/;
const conditions = /^(?:If|While|DoWhile|For|Expression)Statement$/;
/** Where a value is used as it is. */
const takers = /^(?:SwitchStatement|SwitchCase|JSXExpressionContainer)$/;
export const returns: RegExp = /^(?:ReturnStatement|ArrowFunctionExpression)$/;
/** Built-in functions whose arguments are in what they return. */
const handsOn = /^(?:Promise\.\w+|Array\.(?:from|of)|Object\.(?!has|is|keys)\w+|Reflect\.(?:apply|construct|set))$/;
const koaAnswer = /^(?:ctx|context)\.(?:response\.)?body$/;
const numberChecks = /^(?:(?:Number\.)?is(?:NaN|Finite)|Number\.is(?:Safe)?Integer)$/;
const textChecks = /^(?:startsWith|endsWith|includes|match|search)$/;
/** Functions that make another value of a text, by their names. */
const converters =
  /^(?:(?:to|as)(?=[A-Z_])|(?:safe)?[pP]arse|decode|convert|coerce|cast|normali[sz]e)|^(?:unescape|atob|ObjectId|Big|Decimal|Date)$/;

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
      return around['operator'] === '&&' && around['left'] === node ? checked : become(code);
    case 'ConditionalExpression':
      return around['test'] === node ? checked : become(code);
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
      return /(?:Error|Exception)$/.test(textOf(around['callee'], text)) ? used : undefined;
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
  const { type, left, right } = parent.node;
  if (wrappers.test(type) || wholes.test(type)) return useOfPart(parent, code, text);
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
      return known(code, isConstant(other));
    case '==':
    case '!=':
      if (isConstant(other)) return known(code, true);
      // '01' == 1
      return code === asText && !/^(?:String\(|`)|\.toString\(\)$/.test(textOf(other, text)) ? undefined : used;
    default:
      return undefined;
  }
}

/** A longer text, of which a number could be made. */
function asPartOfText(whole: NestedNode, code: Code, text: string): Use | undefined {
  const outer = useOf(whole, asText, text);
  if (outer?.kind === 'returned') return { ...outer, code, isPart: true };
  return outer?.code === asText ? known(code, outer.kind === 'known' && outer.isCheck) : undefined;
}

function asArgument(node: SyntaxNode, call: NestedNode, code: Code, text: string): Use | undefined {
  const called = textOf(call.node['callee'], text);
  const given = call.node['arguments'];
  if (!Array.isArray(given) || !given.includes(node)) return undefined;
  const name = called.split(/\W/).at(-1) ?? '';
  if (numberChecks.test(called)) return known(converted(code, asNumber) ?? code, true);
  if (name === 'test' || /^(?:Boolean|Array\.isArray)$/.test(called)) return known(code, true);
  if (/^(?:String|Promise\.resolve)$/.test(called) && given.length === 1) return useOf(call, code, text);
  const conversion = conversionBy(called, given as readonly SyntaxNode[], text);
  if (conversion !== undefined && given[0] === node) {
    const next = converted(code, conversion);
    return next === undefined ? undefined : useOf(call, next, text);
  }
  return conversion !== undefined || converters.test(name) || called.startsWith('Math.')
    ? undefined
    : givenTo(call, node, code, text);
}

function givenTo(call: NestedNode, argument: SyntaxNode, code: Code, text: string, isPart = false): Use | undefined {
  const given = call.node['arguments'];
  if (!Array.isArray(given) || !given.includes(argument)) return undefined;
  // `Array.from([id], Number)`
  const converts = given.some((each) => conversionBy(textOf(each, text), [], text) !== undefined);
  // Behind a spread, the place is not known.
  const index = given.some((each) => isNode(each) && each.type === 'SpreadElement') ? -1 : given.indexOf(argument);
  const isUnknown = converts || handsOn.test(textOf(call.node['callee'], text));
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
  const call = member.parent;
  const name = textOf(member.node['property'], text);
  if (member.node['computed'] === true) return undefined;
  if (name === 'length') return known(code, true);
  if (call === undefined || call.node['callee'] !== member.node) return undefined;
  if (name === 'toString' && textOf(call.node, text).endsWith('()')) return useOf(call, code, text);
  return textChecks.test(name) ? known(code, true) : undefined;
}

function isConstant(node: unknown): boolean {
  if (!isNode(node)) return false;
  if (node.type === 'UnaryExpression') return isConstant(node['argument']);
  const isName = node.type === 'Identifier' && /^(?:undefined|NaN|Infinity)$/.test(String(node['name']));
  return isName || /^(?:String|Numeric|BigInt|Boolean|Null)Literal$/.test(node.type);
}

export function textOf(node: unknown, text: string): string {
  return isNode(node) ? text.slice(node.start, node.end) : '';
}
