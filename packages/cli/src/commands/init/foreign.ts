import type { Application } from './application.js';
import { createdApplications, type RouterCall } from './calls.js';
import { importedFile, importsOf } from './imports.js';
import { readMounts } from './mounts.js';
import type { Source } from './sources.js';
import { isFunction, isNode, keyOf, type NestedNode, nodesIn, nodesWithin, parsed, type SyntaxNode } from './syntax.js';
import { wrappers } from './values.js';

/** The routes that the guard of an application does not close. */
export interface Foreign {
  /** Whether a router or an application is of another framework, or below one that is called by its `callback()`. */
  readonly isForeign: (source: Source, call: Pick<RouterCall, 'owner' | 'at'>) => boolean;
  /** Whether a handler in `use` gives the request to such an application, and that has no guard of its own. */
  readonly isOpen: (source: Source, handler: SyntaxNode) => boolean;
}

/** What makes applications and routers: by package, whose adapter closes their routes. */
const makers: readonly (readonly [RegExp, string])[] = [
  [/^express$|^express-[\w-]*router$|^router$/, 'express'],
  [/^fastify$/, 'fastify'],
  [/^koa$|^@koa\/router$|^koa-(?:joi-)?router$/, 'koa'],
  [/^(?:find-my-way|hono|polka|connect|restify|h3)$|^[\w-]*router$/, 'none'],
];

/** A name, and what its value begins with: `koa` of `new Koa()`, and `old` of `old.callback()`. */
interface Declaration {
  readonly name: string;
  readonly at: number;
  readonly value: SyntaxNode;
  /** A name, or the package or file that is required there. */
  readonly root: string | { readonly from: string | Source };
}

interface File {
  readonly nodes: readonly NestedNode[];
  readonly declarations: ReadonlyMap<string, readonly Declaration[]>;
  /** By the names that it imports: a package, or another file. */
  readonly imports: ReadonlyMap<string, string | Source>;
}

/** Where an application or a router is made. */
interface Origin {
  readonly source: Source;
  readonly name: string;
  /** The framework whose adapter closes its routes. */
  readonly maker: string;
}

export function readForeign(sources: readonly Source[], { adapters }: Pick<Application, 'adapters'>): Foreign {
  const home = adapters.at(-1)?.replace('@countersign/', '');
  const files = new Map<Source, File>();
  const { mountedOn } = readMounts(sources);

  function fileOf(source: Source): File {
    const file = files.get(source) ?? readFile(source, sources);
    files.set(source, file);
    return file;
  }

  /** Where the value is made that a name has at an offset. */
  function originOf(source: Source, name: string, at: number, seen = new Set<string>()): Origin | undefined {
    const key = `${source.path} ${name}`;
    if (seen.has(key)) return undefined;
    seen.add(key);
    const all = fileOf(source).declarations.get(name) ?? [];
    const declared = all.findLast((each) => each.at <= at) ?? all[0];
    const root = declared?.root ?? name;
    const from = fromOf(source, root);
    if (typeof from === 'object') return originOfExport(from, typeof root === 'string' ? root : name, seen);
    if (declared === undefined || from !== undefined) return declared && made(source, declared);
    return typeof root === 'string' ? originOf(source, root, declared.at, seen) : undefined;
  }

  /** The package or the file that a value begins with. */
  function fromOf(source: Source, root: Declaration['root']): string | Source | undefined {
    return typeof root === 'string' ? (fileOf(source).imports.get(root) ?? globals.get(root)) : root.from;
  }

  function made(source: Source, { name, root }: Declaration): Origin | undefined {
    const from = fromOf(source, root);
    const maker = typeof from === 'string' ? makerOf(from) : undefined;
    return maker === undefined ? undefined : { source, name, maker };
  }

  function originOfExport(source: Source, name: string, seen: Set<string>): Origin | undefined {
    const { declarations } = fileOf(source);
    const own = originOf(source, name, Infinity, seen);
    if (own !== undefined || declarations.get(name)?.every(({ root }) => root === literal) === true) return own;
    // A function may return it, and an export may have another name in its file.
    const all = [...declarations.values()].flat().flatMap((each) => made(source, each) ?? []);
    const isOfOne = new Set(all.map(({ maker }) => maker)).size === 1;
    return isOfOne ? (all.find(isApplication) ?? all[0]) : undefined;
  }

  const guarded = new Set<string>();
  const calledBack = new Set<string>();
  for (const source of sources.filter(({ text }) => /\.(?:use|register)\(/.test(text))) {
    const aliases = [...source.text.matchAll(/\bagentAuth as (\w+)/g)].map(([, alias = '']) => alias);
    const guards = new Set(['agentAuth', ...aliases]);
    for (const { node } of fileOf(source).nodes) {
      const owner = /^(?:use|register)$/.test(keyOfCallee(node) ?? '') ? nameOf(rootOf(node)) : undefined;
      if (owner === undefined) continue;
      for (const each of node['arguments'] as readonly SyntaxNode[]) {
        const within = nodesWithin(fileOf(source).nodes, each);
        const isGuard = within.some(({ node: { name } }) => typeof name === 'string' && guards.has(name));
        const guardedOne = isGuard ? originOf(source, owner, each.start) : undefined;
        if (guardedOne !== undefined) guarded.add(idOf(guardedOne));
        for (const origin of calledBackIn(source, each)) calledBack.add(idOf(origin));
      }
    }
  }

  /** Applications of Koa that code calls by `callback()`, or by a variable with what that returned. */
  function calledBackIn(source: Source, part: SyntaxNode): readonly (Origin | undefined)[] {
    const { nodes, declarations } = fileOf(source);
    return nodesWithin(nodes, part).flatMap((nested) => {
      const name = nameUsed(nested);
      const called = name === undefined ? nested.node : declarations.get(name)?.[0]?.value;
      const isCall = called !== undefined && keyOfCallee(called) === 'callback' && isEmpty(called['arguments']);
      return isCall ? [originOf(source, nameOf(rootOf(called)) ?? '', part.start)] : [];
    });
  }

  function isForeignOrigin(origin: Origin): boolean {
    return origin.maker !== home || (calledBack.has(idOf(origin)) && isUnguarded(origin));
  }

  const known = new Map<string, boolean>();
  function isForeign(source: Source, { owner, at }: Pick<RouterCall, 'owner' | 'at'>): boolean {
    const origin = originOf(source, owner, at);
    if (origin !== undefined && isForeignOrigin(origin)) return true;
    if (origin !== undefined && isApplication(origin)) return false;
    const key = `${source.path} ${owner} ${origin === undefined ? at : ''}`;
    const found = known.get(key);
    if (found !== undefined) return found;
    known.set(key, false);
    const { source: from, name } = origin ?? { source, name: owner };
    const result = mountedOn(from, name, at).some((above) => isForeign(above.source, above));
    known.set(key, result);
    return result;
  }

  function isUnguarded(origin: Origin | undefined): boolean {
    return !guarded.has(idOf(origin));
  }

  function isOpen(source: Source, handler: SyntaxNode): boolean {
    const names = nodesWithin(fileOf(source).nodes, handler).map(nameUsed);
    const origins = names.map((name) => (name === undefined ? undefined : originOf(source, name, handler.start)));
    return (
      origins.some((origin) => origin !== undefined && origin.maker !== home && isUnguarded(origin)) ||
      calledBackIn(source, handler).some(isUnguarded)
    );
  }

  return { isForeign, isOpen };
}

/** Names of applications that a file without imports may have. */
const globals: ReadonlyMap<string, string> = new Map([
  ['express', 'express'],
  ['fastify', 'fastify'],
  ['Fastify', 'fastify'],
  ['Koa', 'koa'],
]);

function makerOf(path: string): string | undefined {
  return makers.find(([pattern]) => pattern.test(path))?.[1];
}

function isApplication({ source, name }: Origin): boolean {
  return createdApplications(source.text).has(name);
}

function isEmpty(list: unknown): boolean {
  return Array.isArray(list) && list.length === 0;
}

function idOf(origin: Origin | undefined): string {
  return origin === undefined ? '' : `${origin.source.path} ${origin.name}`;
}

function readFile(source: Source, sources: readonly Source[]): File {
  const program = parsed(source);
  const nodes = program === undefined ? [] : nodesIn(program);
  const imports = importsOf(source, sources).flatMap(({ names, path, target }) =>
    names.map((name) => [name, target ?? path] as const),
  );
  const declarations = new Map<string, Declaration[]>();
  for (const { node } of nodes.filter(({ node: { type } }) => declaring.test(type))) {
    const target = node['id'] ?? node['left'] ?? node['key'];
    const value = node['init'] ?? node['right'] ?? node['value'];
    const name = isNode(target) ? (nameOf(target) ?? keyOf(target)) : undefined;
    if (name === undefined || !isNode(value) || isFunction(value)) continue;
    const start = rootOf(value);
    const path = requiredBy(start);
    const root = path === undefined ? nameOf(start) : { from: importedFile(path, source, sources) ?? path };
    // Bare, `require('package')` is an import.
    if (start === value && path !== undefined) continue;
    const all = declarations.get(name) ?? [];
    all.push({ name, at: node.start, value, root: root ?? literal });
    declarations.set(name, all);
  }
  return { nodes, declarations, imports: new Map(imports) };
}

/** What begins with no name. */
const literal = { from: '' };
const declaring = /^(?:VariableDeclarator|AssignmentExpression|Class(?:Private)?Property)$/;

/** What a chain of calls and members begins with: a name, a member of `this`, or `require('package')`. */
function rootOf(node: SyntaxNode): SyntaxNode {
  const { callee, object, expression, argument, right } = node;
  if (nameOf(node) !== undefined || requiredBy(node) !== undefined) return node;
  const isWrapper = wrappers.test(node.type) || node.type === 'AssignmentExpression';
  const inner = isWrapper ? (expression ?? argument ?? right) : (callee ?? object);
  return isNode(inner) ? rootOf(inner) : node;
}

/** The path of `require('path')`. */
function requiredBy({ callee, arguments: given }: SyntaxNode): string | undefined {
  const [path] = Array.isArray(given) ? (given as readonly SyntaxNode[]) : [];
  return nameOf(callee) === 'require' && path?.type === 'StringLiteral' ? String(path['value']) : undefined;
}

/** The name by which code uses a value: no key of a member. */
function nameUsed({ node, parent }: NestedNode): string | undefined {
  const isKey = parent?.node['property'] === node || parent?.node['key'] === node;
  return isKey ? undefined : nameOf(node);
}

/** Of `app` and `this.app`. */
function nameOf(node: unknown): string | undefined {
  if (!isNode(node)) return undefined;
  if (node.type === 'Identifier') return String(node['name']);
  return isNode(node['object']) && node['object'].type === 'ThisExpression' ? keyOf(node) : undefined;
}

function keyOfCallee({ callee }: SyntaxNode): string | undefined {
  return isNode(callee) && isNode(callee['property']) ? keyOf(callee) : undefined;
}
