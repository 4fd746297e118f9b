import { isNode, type NestedNode, type SyntaxNode } from './syntax.js';

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
  return {
    declarationOf: (name) => named.get(name),
    usesOf: (declaration) => (isNode(declaration) ? (uses.get(declaration) ?? []) : []),
    namedBy: (name) => {
      const { by, scope } = named.get(name.node) ?? {};
      if (name.node.type === 'ThisExpression') return membersNamed(name, classAround(name));
      const value = by?.node['init'] ?? by?.node;
      return scope?.type === 'Program' && isNode(value) && owners.test(value.type) ? membersNamed(name, value) : [];
    },
  };
}

const owners = /^(?:Function|Class)Declaration$|^(?:Function|ArrowFunction|Call|New|Object|Class)Expression$/;

function classAround({ parent }: NestedNode): SyntaxNode | undefined {
  return parent === undefined || parent.node.type === 'ClassBody' ? parent?.node : classAround(parent);
}

/** `show` of the object or class in `orders.show`; all of it if that is not known. */
function membersNamed({ node, parent }: NestedNode, owner: SyntaxNode | undefined): readonly SyntaxNode[] {
  if (owner === undefined) return [];
  const { object, property } = parent?.node ?? { object: undefined, property: undefined };
  const body = owner['properties'] ?? owner['body'];
  const members = Array.isArray(body) ? (body as readonly SyntaxNode[]) : [];
  const isMember = object === node && isNode(property);
  const own = members.filter(({ key }) => isMember && isNode(key) && key['name'] === property['name']);
  return own.length > 0 || owner.type === 'ClassBody' ? own : [owner];
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
function isVariable({ node, parent }: NestedNode): boolean {
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

export function isFunction({ type }: SyntaxNode): boolean {
  return /^(?:FunctionDeclaration|(?:Arrow)?FunctionExpression|(?:Object|Class|ClassPrivate)Method)$/.test(type);
}
