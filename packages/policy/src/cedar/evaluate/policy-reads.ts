import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';
import { keyFromJson, type PolicyScope } from '../index/scope.js';
import { patternFromJson, StringPattern } from './string-pattern.js';
import { joinValueReads, type ValueReads } from './value-reads.js';

/** The parts of a request that the conditions of some policies read. */
export interface PolicyReads {
  readonly context: ValueReads;
  /** Whether parents, attributes or tags of any entity are read. */
  readonly entities: boolean;
  /** Those of `principal`, `action` and `resource` that are read in any way. */
  readonly variables: ReadonlySet<string>;
  /** Keys of the entities that the conditions name. */
  readonly named: ReadonlySet<string>;
}

/** Analyses the conditions of a policy. An unknown operator counts as one that reads entities. */
export function readsOf({ conditions }: PolicyJson): PolicyReads {
  const collector = new ReadsCollector();
  for (const { body } of conditions) collector.visit(body);
  return collector;
}

export function joinReads(all: readonly PolicyReads[]): PolicyReads {
  return {
    context: joinValueReads(all.map(({ context }) => context)),
    entities: all.some(({ entities }) => entities),
    variables: new Set(all.flatMap(({ variables }) => [...variables])),
    named: new Set(all.flatMap(({ named }) => [...named])),
  };
}

/** The groups that scopes name. Cedar needs no other ancestor to evaluate the scopes. */
export function groupsIn(scopes: readonly PolicyScope[]): ReadonlySet<string> {
  return new Set(
    scopes.flatMap(({ principal, action, resource }) => [
      ...(principal.in ?? []),
      ...(action.in ?? []),
      ...(resource.in ?? []),
    ]),
  );
}

type Node = Readonly<Record<string, unknown>>;

/** Operators that read nothing but their operands. */
const TRANSPARENT: ReadonlySet<string> = new Set([
  '!',
  'neg',
  '==',
  '!=',
  '<',
  '<=',
  '>',
  '>=',
  '&&',
  '||',
  '+',
  '-',
  '*',
  'contains',
  'containsAll',
  'containsAny',
  'isEmpty',
  'like',
  'is',
  'if-then-else',
  'Set',
  'Record',
]);

class ReadsCollector implements PolicyReads {
  readonly context = new CollectedReads();
  entities = false;
  readonly variables = new Set<string>();
  readonly named = new Set<string>();

  visit(node: unknown): void {
    if (!isNode(node)) return;
    const path = pathInContext(node);
    if (path === undefined) for (const [operator, operand] of Object.entries(node)) this.#operation(operator, operand);
    else this.context.at(path).whole = true;
  }

  #operation(operator: string, operand: unknown): void {
    if (operator === 'Var' && typeof operand === 'string') this.variables.add(operand);
    else if (operator === 'Value') this.#literal(operand);
    else if ((operator === '.' || operator === 'has') && isNode(operand)) this.#access(operand);
    else if (!this.#comparison(operator, operand)) this.#others(operator, operand);
  }

  #others(operator: string, operand: unknown): void {
    // This covers `in`, `is … in`, tags and extension functions.
    if (!TRANSPARENT.has(operator) || (operator === 'is' && isNode(operand) && 'in' in operand)) this.entities = true;
    if (!isNode(operand)) return;
    // The other member of `like` is its pattern, which reads nothing.
    const operands = operator === 'like' ? [operand['left']] : Object.values(operand);
    for (const value of operands) this.visit(value);
  }

  /** Whether it is a comparison of a value of the context with a literal or a pattern. */
  #comparison(operator: string, operand: unknown): boolean {
    if (!isNode(operand)) return false;
    const { left, right, pattern } = operand;
    if (operator === 'like') return this.#compared(left, patternFromJson(pattern));
    if (operator === 'contains') return this.#contains(left, literalIn(right));
    if (operator !== '==' && operator !== '!=') return false;
    return this.#equals(left, literalIn(right)) || this.#equals(right, literalIn(left));
  }

  #equals(node: unknown, literal: unknown): boolean {
    if (typeof literal === 'string') return this.#compared(node, new StringPattern([literal]));
    const path = pathInContext(node);
    if (path === undefined || !isNode(literal) || !isUid(literal)) return false;
    this.context.at(path).uids.add(keyFromJson(literal));
    this.#literal(literal);
    return true;
  }

  #contains(node: unknown, literal: unknown): boolean {
    const path = pathInContext(node);
    if (path === undefined || typeof literal !== 'string') return false;
    this.context.at(path).elements.add(literal);
    return true;
  }

  #compared(node: unknown, pattern: StringPattern | undefined): boolean {
    const path = pathInContext(node);
    if (path === undefined || pattern === undefined) return false;
    this.context.at(path).patterns.set(pattern.id, pattern);
    return true;
  }

  #literal(value: unknown): void {
    if (!isNode(value)) return;
    if (isUid(value)) this.named.add(keyFromJson(value));
    else for (const member of Object.values(value)) this.#literal(member);
  }

  /** `has`, or an attribute of anything but the context. */
  #access({ left, attr }: Node): void {
    const path = pathInContext(left);
    const names = namesFrom(attr);
    if (path !== undefined && names !== undefined) {
      this.context.at([...path, ...names]);
      return;
    }
    this.entities = true;
    this.visit(left);
  }
}

class CollectedReads implements ValueReads {
  whole = false;
  readonly patterns = new Map<string, StringPattern>();
  readonly uids = new Set<string>();
  readonly elements = new Set<string>();
  readonly members = new Map<string, CollectedReads>();

  at([name, ...rest]: readonly string[]): CollectedReads {
    if (name === undefined) return this;
    const member = this.members.get(name) ?? new CollectedReads();
    this.members.set(name, member);
    return member.at(rest);
  }
}

/** The names in a path such as `context.request.method`; none for `context` itself. */
function pathInContext(node: unknown): readonly string[] | undefined {
  if (!isNode(node) || Object.keys(node).length !== 1) return undefined;
  if (node['Var'] === 'context') return [];
  const { '.': access } = node;
  if (!isNode(access)) return undefined;
  const path = pathInContext(access['left']);
  const names = namesFrom(access['attr']);
  return path && names && [...path, ...names];
}

/** Of `has a.b`, the JSON is a list of names. */
function namesFrom(attribute: unknown): readonly string[] | undefined {
  const names: unknown = typeof attribute === 'string' ? [attribute] : attribute;
  return Array.isArray(names) && names.every((name) => typeof name === 'string') ? names : undefined;
}

function literalIn(node: unknown): unknown {
  return isNode(node) ? node['Value'] : undefined;
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null;
}

function isUid(value: Node): value is { readonly __entity: { readonly type: string; readonly id: string } } {
  const { __entity: uid } = value;
  return isNode(uid) && typeof uid['type'] === 'string' && typeof uid['id'] === 'string';
}
