import { membersIn } from './members.js';
import { isFunction, isNode, keyOf, type NestedNode, type SyntaxNode } from './syntax.js';

/** The variables of a program. */
export interface Bindings {
  /** Where the variable that this identifier declares is read or assigned. */
  readonly usesOf: (declaration: unknown) => readonly NestedNode[];
  /** The functions, or what may have them, that `show`, `orders.show` and `this.show` name, in the same file. */
  readonly namedBy: (name: NestedNode) => readonly SyntaxNode[];
  /** The declaration of the variable that this identifier reads. */
  readonly declarationOf: (name: SyntaxNode) => Declaration | undefined;
}

export interface Declaration {
  readonly name: NestedNode;
  /** The declarator, or the function, class or `catch` with the name. */
  readonly by: NestedNode;
  readonly scope: SyntaxNode;
}

const scopes = /^(?:Program|BlockStatement|For\w*Statement|CatchClause|SwitchStatement|StaticBlock)$/;

export function readBindings(nodes: readonly NestedNode[]): Bindings {
  const declared = new Map<SyntaxNode, Map<string, Declaration>>();
  const uses = new Map<SyntaxNode, NestedNode[]>();
  const named = new Map<SyntaxNode, Declaration>();
  const rest: NestedNode[] = [];
  for (const name of nodes.filter(({ node }) => node.type === 'Identifier')) {
    const declaration = declaredBy(name);
    const names = declared.get(declaration?.scope ?? name.node) ?? new Map<string, Declaration>();
    // The second declaration of a variable assigns it.
    if (declaration === undefined || names.has(nameOf(name))) rest.push(name);
    else declared.set(declaration.scope, names.set(nameOf(name), declaration));
  }
  for (const each of rest) {
    const declaration = isVariable(each) ? resolve(each, declared) : undefined;
    if (declaration === undefined) continue;
    named.set(each.node, declaration);
    uses.set(declaration.name.node, [...(uses.get(declaration.name.node) ?? []), each]);
  }
  const membersByName = membersIn(nodes);
  const usesOf = (declaration: unknown): readonly NestedNode[] =>
    isNode(declaration) ? (uses.get(declaration) ?? []) : [];
  const membersOfFile = (key = ''): readonly SyntaxNode[] => (membersByName.get(key) ?? []).map(({ value }) => value);

  /** Of `this` and `exports`. A member that the class does not have may be of its base. */
  function ownMembers(name: NestedNode, key: string | undefined): readonly SyntaxNode[] {
    const own = membersNamed(key, classAround(name));
    return own.length > 0 ? own : membersOfFile(key);
  }
  function namedBy(name: NestedNode): readonly SyntaxNode[] {
    const key = keyRead(name);
    if (/^(?:ThisExpression|Super)$/.test(name.node.type)) return ownMembers(name, key);
    const declaration = named.get(name.node);
    if (declaration === undefined)
      return /^(?:exports|module)$/.test(nameOf(name)) ? membersOfFile(keyRead(name, true)) : [];
    const { init, id, type } = declaration.by.node;
    // A parameter may be anything.
    const own = type === 'VariableDeclarator' ? init : id === declaration.name.node ? declaration.by.node : undefined;
    const assigned = usesOf(declaration.name.node).flatMap(assignedTo);
    const values = [own, ...assigned.flatMap((each) => (each.isMember ? [] : each.value))].filter(isNode);
    const members = [
      ...assigned.filter((each) => each.isMember && (key === undefined || each.key === key)).map(({ value }) => value),
      ...values.flatMap((value) => (value.type === 'ThisExpression' ? membersOfFile(key) : membersNamed(key, value))),
    ];
    return key !== undefined && members.length > 0 ? members : [...values, ...members];
  }
  return { declarationOf: (name) => named.get(name), usesOf, namedBy };
}

/** `show` of `orders.show`; `isLast`: and of `module.exports.show`. */
function keyRead({ node, parent }: NestedNode, isLast = false): string | undefined {
  if (parent === undefined || parent.node['object'] !== node) return undefined;
  return (isLast ? keyRead(parent, true) : undefined) ?? keyOf(parent.node);
}

interface Assigned {
  readonly value: SyntaxNode;
  readonly isMember: boolean;
  readonly key: string | undefined;
}

/** What is assigned to a variable, by its second declaration too, or to its member: `orders.show = …`. */
function assignedTo(use: NestedNode): readonly Assigned[] {
  let target = use;
  while (target.parent?.node['object'] === target.node) target = target.parent;
  const by = target.parent?.node;
  const declared = by?.['id'] === use.node ? (by['init'] ?? by) : undefined;
  // Not `name + other`.
  const isAssigned = by?.['left'] === target.node && /^(?:Assignment|For)/.test(by.type);
  const value = isAssigned ? by['right'] : declared;
  return isNode(value) ? [{ value, isMember: target !== use, key: keyOf(target.node) }] : [];
}

function classAround({ parent }: NestedNode): SyntaxNode | undefined {
  return parent === undefined || parent.node.type === 'ClassBody' ? parent?.node : classAround(parent);
}

/** The members of an object or class with this key. */
function membersNamed(key: string | undefined, owner: SyntaxNode | undefined): readonly SyntaxNode[] {
  if (owner === undefined || key === undefined) return [];
  const { expression, properties, body } = owner;
  if (isNode(expression)) return membersNamed(key, expression);
  const members = properties ?? (isNode(body) && body.type === 'ClassBody' ? body['body'] : body);
  return Array.isArray(members) ? (members as readonly SyntaxNode[]).filter((each) => keyOf(each) === key) : [];
}

function resolve(
  identifier: NestedNode,
  declared: ReadonlyMap<SyntaxNode, ReadonlyMap<string, Declaration>>,
): Declaration | undefined {
  for (let around = identifier.parent; around !== undefined; around = around.parent) {
    const found = declared.get(around.node)?.get(nameOf(identifier));
    if (found !== undefined) return found;
  }
  return undefined;
}

function nameOf({ node }: NestedNode): string {
  return String(node['name']);
}

/** Not the name of a property or a type. */
export function isVariable({ node, parent }: NestedNode): boolean {
  if (parent === undefined) return false;
  const { type, computed, expression, property, key, value } = parent.node;
  if (type.startsWith('TS')) return expression === node;
  return computed === true || !(property === node || (key === node && value !== node));
}

function declaredBy(name: NestedNode): Declaration | undefined {
  let inner = name;
  for (let by = inner.parent; by !== undefined; by = by.parent) {
    const { node } = by;
    const { type, id, params, param } = node;
    if (type === 'VariableDeclarator') {
      const isVar = by.parent?.node['kind'] === 'var';
      return id === inner.node ? { name, by, scope: scopeAround(by, isVar) } : undefined;
    }
    if (id === inner.node) return { name, by, scope: scopeAround(by, false) };
    if (param === inner.node || (Array.isArray(params) && params.includes(inner.node)))
      return { name, by, scope: node };
    if (!isPattern(node, inner.node)) return undefined;
    inner = by;
  }
  return undefined;
}

function isPattern({ type, left, value }: SyntaxNode, inner: SyntaxNode): boolean {
  if (type === 'ObjectProperty') return value === inner;
  return type === 'AssignmentPattern' ? left === inner : /^(?:ObjectPattern|ArrayPattern|RestElement)$/.test(type);
}

/** `ofFunction`: where `var` declares a name. */
function scopeAround({ node, parent }: NestedNode, ofFunction: boolean): SyntaxNode {
  if (parent === undefined) return node;
  const isScope =
    isFunction(parent.node) || (ofFunction ? parent.node.type === 'Program' : scopes.test(parent.node.type));
  return isScope ? parent.node : scopeAround(parent, ofFunction);
}
