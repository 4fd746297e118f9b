import type { PolicyJson } from '@cedar-policy/cedar-wasm/nodejs';
import { keyFromJson, type PolicyScope } from '../index/scope.js';

/** The parts of a request that the conditions of some policies read. */
export interface PolicyReads {
  /** Attributes of the context that are read. */
  readonly context: ReadonlySet<string> | 'all';
  /** Attributes of the context with a member that is read. If the value is an entity, its record is read. */
  readonly within: ReadonlySet<string>;
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
  'Literal',
  'is',
  'if-then-else',
  'Set',
  'Record',
]);

class ReadsCollector implements PolicyReads {
  context: Set<string> | 'all' = new Set();
  readonly within = new Set<string>();
  entities = false;
  readonly variables = new Set<string>();
  readonly named = new Set<string>();

  visit(node: unknown): void {
    if (!isNode(node)) return;
    for (const [operator, operand] of Object.entries(node)) this.#operation(operator, operand);
  }

  #operation(operator: string, operand: unknown): void {
    if (operator === 'Var') return this.#variable(operand);
    if (operator === 'Value') return this.#literal(operand);
    if ((operator === '.' || operator === 'has') && isNode(operand))
      return this.#access(operand['left'], operand['attr']);
    // This covers `in`, `is … in`, tags and extension functions.
    if (!TRANSPARENT.has(operator) || (operator === 'is' && isNode(operand) && 'in' in operand)) this.entities = true;
    this.#operands(operand);
  }

  #operands(operand: unknown): void {
    if (!isNode(operand)) return;
    for (const value of Object.values(operand)) this.visit(value);
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
      this.visit(left);
    } else {
      this.#contextAttribute(root, true);
    }
  }

  #contextAttribute(name: string, within: boolean): void {
    if (this.context !== 'all') this.context.add(name);
    if (within) this.within.add(name);
  }
}

/** The first attribute of a path such as `context.request.method`. */
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
