import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';
import { withoutStrings } from './conditions.js';
import { conditionOf } from './trend.js';

type Node = Readonly<Record<string, unknown>>;

/** The members that are known to exist, by {@link memberKey}. */
export type Known = ReadonlySet<string>;

/** The members that the guard always sends. */
export const ALWAYS: Known = new Set([
  ...['scope', 'depth', 'via', 'proof', 'possession', 'request'].map((name) => memberKey({ Var: 'context' }, name)),
  ...['method', 'path'].map((name) => memberKey({ '.': { left: { Var: 'context' }, attr: 'request' } }, name)),
  memberKey({ '.': { left: { Var: 'context' }, attr: 'authorizationDetails' } }, 'types'),
  memberKey({ Var: 'principal' }, 'capabilities'),
]);

/** Functions that fail on malformed text. */
const CONSTRUCTORS = ['ip', 'decimal', 'datetime', 'duration'];

const ALWAYS_READ =
  /\b(?:context\s*\.\s*(?:request\s*\.\s*(?:method|path)|scope|depth|via|proof|possession)|principal\s*\.\s*capabilities)\b/g;
const MEMBER = /\.\s*[A-Za-z_]\w*\b(?!\s*\()|[\w)\]]\s*\[/;
const FUNCTION = new RegExp(`\\b(?:getTag|${CONSTRUCTORS.join('|')})\\s*\\(`);

/** A quick test on the text, as Cedar's JSON takes a quarter of a millisecond for each policy. */
export function mayReadFallibly(conditions: readonly string[]): boolean {
  const read = conditions.map((text) => withoutStrings(text).replaceAll(ALWAYS_READ, '')).join(' ');
  return MEMBER.test(read) || FUNCTION.test(read);
}

/**
 * The reads in a policy's conditions that can fail on some requests, in Cedar's syntax. With a schema, validation covers
 * the attributes of principal, resource and context; entities that a request only names remain.
 */
export function fallibleReads(policy: PolicyJson, hasSchema: boolean): string[] {
  return fallibleReadsIn(conditionOf(policy), ALWAYS, hasSchema);
}

/** The same in one expression. */
export function fallibleReadsIn(node: unknown, known: Known, hasSchema: boolean): string[] {
  const visitor = new FallibleReadVisitor(hasSchema);
  visitor.visit(node, known);
  return [...visitor.found];
}

/** What must exist if an expression is true, or if it is false, besides what is known. */
export function knownIf(value: boolean, node: unknown, known: Known): Known {
  return union(known, value ? impliedBy(node) : impliedByNot(node));
}

class FallibleReadVisitor {
  readonly found = new Set<string>();
  readonly #hasSchema: boolean;

  constructor(hasSchema: boolean) {
    this.#hasSchema = hasSchema;
  }

  visit(node: unknown, known: Known): void {
    if (!isNode(node)) return;
    for (const [operator, operand] of Object.entries(node)) {
      if (operator !== 'Value' && isNode(operand)) this.#operation(operator, operand, known);
    }
  }

  #operation(operator: string, operand: Node, known: Known): void {
    const { left, right } = operand;
    switch (operator) {
      case '&&':
      case '||':
        this.visit(left, known);
        this.visit(right, knownIf(operator === '&&', left, known));
        return;
      case 'if-then-else':
        this.visit(operand['if'], known);
        this.visit(operand['then'], knownIf(true, operand['if'], known));
        this.visit(operand['else'], knownIf(false, operand['if'], known));
        return;
      case '.':
        this.#read(left, operand['attr'], known);
        this.visit(left, known);
        return;
      case 'getTag':
        if (!this.#hasSchema && !known.has(tagKey(operand))) this.found.add(`${pathText(left)}.getTag(…)`);
        this.visit(left, known);
        this.visit(right, known);
        return;
      default:
        if (CONSTRUCTORS.includes(operator) && !isLiteral(operand['0'])) this.found.add(`${operator}(…)`);
        for (const value of Object.values(operand)) this.visit(value, known);
    }
  }

  #read(left: unknown, attribute: unknown, known: Known): void {
    if (typeof attribute !== 'string' || known.has(memberKey(left, attribute))) return;
    if (this.#hasSchema && !isNamedEntity(left)) return;
    this.found.add(`${pathText(left)}.${attribute}`);
  }
}

/** The user or agent on whose behalf the actor acts: a request only names it, without attributes. */
function isNamedEntity(node: unknown): boolean {
  return ['context.onBehalfOf', 'context.onBehalfOfAgent'].includes(pathText(node));
}

/** Members that must exist if the expression is true. */
function impliedBy(node: unknown): Known {
  if (!isNode(node)) return new Set();
  if (isNode(node['hasTag'])) return new Set([tagKey(node['hasTag'])]);
  if (isNode(node['has'])) return hasImplies(node['has']['left'], node['has']['attr']);
  if (isNode(node['&&'])) return union(impliedBy(node['&&']['left']), impliedBy(node['&&']['right']));
  return isNode(node['!']) ? impliedByNot(node['!']['arg']) : new Set();
}

/** Members that must exist if it is false. */
function impliedByNot(node: unknown): Known {
  if (!isNode(node)) return new Set();
  if (isNode(node['||'])) return union(impliedByNot(node['||']['left']), impliedByNot(node['||']['right']));
  return isNode(node['!']) ? impliedBy(node['!']['arg']) : new Set();
}

/** Cedar writes `has a.b` as one attribute or as a path. */
function hasImplies(left: unknown, attribute: unknown): Known {
  const path = (Array.isArray(attribute) ? attribute : [attribute]) as unknown[];
  const known = new Set<string>();
  let at = left;
  for (const name of path) {
    if (typeof name !== 'string') break;
    known.add(memberKey(at, name));
    at = { '.': { left: at, attr: name } };
  }
  return known;
}

function memberKey(left: unknown, attribute: string): string {
  return JSON.stringify([left, attribute]);
}

function tagKey({ left, right }: Node): string {
  return JSON.stringify([left, { tag: right }]);
}

function union(one: Known, other: Known): Known {
  return other.size === 0 ? one : new Set([...one, ...other]);
}

/** A path in Cedar's syntax, for messages; other expressions are `…`. */
function pathText(node: unknown): string {
  if (!isNode(node)) return '…';
  if (typeof node['Var'] === 'string') return node['Var'];
  const { '.': read } = node;
  return isNode(read) ? `${pathText(read['left'])}.${String(read['attr'])}` : '…';
}

function isLiteral(node: unknown): boolean {
  return isNode(node) && 'Value' in node;
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null;
}
