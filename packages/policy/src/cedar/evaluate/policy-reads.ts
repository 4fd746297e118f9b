import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';
import { keyFromJson, type PolicyScope } from '../index/scope.js';

/** What the conditions of some policies can see of a request. */
export interface PolicyReads {
  /** The attributes of the context. */
  readonly context: ReadonlySet<string> | 'all';
  /** Attributes of the context of which something within is read: if that is an entity, its record is. */
  readonly within: ReadonlySet<string>;
  /** Parents, attributes or tags of any entity. */
  readonly entities: boolean;
  /** `principal`, `action` and `resource`, where they are read in any way. */
  readonly variables: ReadonlySet<string>;
  /** Entities that the conditions name themselves. */
  readonly named: ReadonlySet<string>;
}

/** Reads the conditions of a policy. An operator that is not known here counts as one that reads everything. */
export function readsOf({ conditions }: PolicyJson): PolicyReads {
  const walk = new Walk();
  for (const { body } of conditions) walk.expression(body);
  return walk;
}

export function joinReads(all: readonly PolicyReads[]): PolicyReads {
  return {
    context: joinContexts(all),
    within: new Set(all.flatMap(({ within }) => [...within])),
    entities: all.some(({ entities }) => entities),
    variables: new Set(all.flatMap(({ variables }) => [...variables])),
    named: new Set(all.flatMap(({ named }) => [...named])),
  };
}

function joinContexts(all: readonly PolicyReads[]): PolicyReads['context'] {
  const joined = new Set<string>();
  for (const { context } of all) {
    if (context === 'all') return 'all';
    for (const name of context) joined.add(name);
  }
  return joined;
}

/** The groups that scopes ask for: of all ancestors, Cedar need know no other. */
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

/** Operators whose operands say by themselves what is read. */
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
  'Literal',
  'is',
  'if-then-else',
  'Set',
  'Record',
]);

class Walk implements PolicyReads {
  context: Set<string> | 'all' = new Set();
  readonly within = new Set<string>();
  entities = false;
  readonly variables = new Set<string>();
  readonly named = new Set<string>();

  expression(node: unknown): void {
    if (!isNode(node)) return;
    for (const [operator, operand] of Object.entries(node)) this.#operation(operator, operand);
  }

  #operation(operator: string, operand: unknown): void {
    if (operator === 'Var') return this.#variable(operand);
    if (operator === 'Value') return this.#literal(operand);
    if ((operator === '.' || operator === 'has') && isNode(operand))
      return this.#access(operand['left'], operand['attr']);
    // `in`, tags and functions of extensions come here, as does `is … in`.
    if (!TRANSPARENT.has(operator) || (operator === 'is' && isNode(operand) && 'in' in operand)) this.entities = true;
    this.#operands(operand);
  }

  #operands(operand: unknown): void {
    if (!isNode(operand)) return;
    for (const value of Object.values(operand)) this.expression(value);
  }

  #variable(name: unknown): void {
    if (name === 'context') this.context = 'all';
    else if (typeof name === 'string') this.variables.add(name);
  }

  #literal(value: unknown): void {
    if (!isNode(value)) return;
    if (isUid(value)) this.named.add(keyFromJson(value));
    else for (const member of Object.values(value)) this.#literal(member);
  }

  #access(left: unknown, attribute: unknown): void {
    const path = typeof attribute === 'string' ? [attribute] : attribute;
    const [first] = Array.isArray(path) ? path : [];
    if (isNode(left) && left['Var'] === 'context' && typeof first === 'string') {
      this.#contextAttribute(first, Array.isArray(path) && path.length > 1);
      return;
    }
    const root = rootInContext(left);
    if (root === undefined) {
      this.entities = true;
      this.expression(left);
    } else {
      this.#contextAttribute(root, true);
    }
  }

  #contextAttribute(name: string, within: boolean): void {
    if (this.context !== 'all') this.context.add(name);
    if (within) this.within.add(name);
  }
}

/** The attribute of the context that a path like `context.request.method` starts with. */
function rootInContext(node: unknown): string | undefined {
  if (!isNode(node) || !isNode(node['.'])) return undefined;
  const { left, attr } = node['.'];
  if (isNode(left) && left['Var'] === 'context') return typeof attr === 'string' ? attr : undefined;
  return rootInContext(left);
}

function isNode(value: unknown): value is Node {
  return typeof value === 'object' && value !== null;
}

function isUid(value: Node): value is { readonly __entity: { readonly type: string; readonly id: string } } {
  const { __entity: uid } = value;
  return isNode(uid) && typeof uid['type'] === 'string' && typeof uid['id'] === 'string';
}
