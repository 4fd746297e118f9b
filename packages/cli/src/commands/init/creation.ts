import { endOfCall } from './calls.js';
import type { Framework } from './application.js';
import { isOuter, placeOnKoa } from './place-on-koa.js';
import type { Source } from './sources.js';
import { isNode, nodesIn, parsed, type NestedNode, type SyntaxNode } from './syntax.js';

type Creating = Exclude<Framework, 'nestjs'>;

/** Where an application is created. */
export interface Creation {
  readonly source: Source;
  readonly at: number;
  /** The statement that gives it a name; undefined if only a person knows where the guard goes. */
  readonly named: NamedCreation | undefined;
}

export interface NamedCreation {
  /** `app` or `this.app`. */
  readonly name: string;
  readonly start: number;
  readonly end: number;
}

const creators: Readonly<Record<Creating, { readonly type: string; readonly callee: RegExp }>> = {
  express: { type: 'CallExpression', callee: /^(?:express|require\(['"]express['"]\))(?:\.default)?$/ },
  fastify: {
    type: 'CallExpression',
    callee: /^(?:[fF]astify|require\(['"]fastify['"]\))(?:\.default|\.fastify)?$/,
  },
  koa: { type: 'NewExpression', callee: /^(?:Koa|\(?require\(['"]koa['"]\)\)?)$/ },
};

/** The applications that all files create: which of several needs the guard, only a person knows. */
export function findCreations(sources: readonly Source[], framework: Creating): readonly Creation[] {
  return sources
    .filter(({ text }) => /express|fastify|koa/i.test(text))
    .flatMap((source) => creationsIn(source, framework));
}

function creationsIn(source: Source, framework: Creating): readonly Creation[] {
  const program = parsed(source);
  if (program === undefined) return [];
  const { type, callee } = creators[framework];
  return nodesIn(program)
    .filter(({ node }) => node.type === type && isNode(node['callee']) && callee.test(sourceOf(source, node['callee'])))
    .map((nested) => ({ source, at: nested.node.start, named: namedIn(source, nested, framework) }));
}

function sourceOf({ text }: Source, { start, end }: SyntaxNode): string {
  return text.slice(start, end);
}

const wrappers = /^(?:AwaitExpression|TS(?:As|Satisfies|NonNull)Expression|TSTypeAssertion)$/;
const blocks = /^(?:Program|BlockStatement|TSModuleBlock)$/;

/**
 * The statement whose whole value the application is. A call that goes on, like `express().use(express.json())`, the
 * default of a parameter and a field of a class have no place behind them for the guard.
 */
function namedIn(source: Source, created: NestedNode, framework: Creating): NamedCreation | undefined {
  let name: SyntaxNode | undefined;
  for (let each = created; each.parent !== undefined; each = each.parent) {
    const { node } = each;
    const around = each.parent.node;
    if (around.type === 'VariableDeclarator') name = around['id'] as SyntaxNode;
    else if (around.type === 'AssignmentExpression' && around['right'] === node) name = around['left'] as SyntaxNode;
    else if (blocks.test(around.type)) return name && namedBy(source, name, node);
    else if (!isAround(around, node, framework)) return undefined;
  }
  return undefined;
}

function isAround(around: SyntaxNode, node: SyntaxNode, framework: Creating): boolean {
  if (wrappers.test(around.type) || /^(?:VariableDeclaration|ExpressionStatement|ExportNamed)/.test(around.type)) {
    return true;
  }
  // It returns the same application.
  const isTyped = framework === 'fastify' && around.type === 'MemberExpression' && around['object'] === node;
  if (isTyped) return (around['property'] as SyntaxNode)['name'] === 'withTypeProvider';
  return around.type === 'CallExpression' && node.type === 'MemberExpression' && around['callee'] === node;
}

function namedBy(source: Source, name: SyntaxNode, { start, end }: SyntaxNode): NamedCreation | undefined {
  const shown = typeof name['name'] === 'string' ? name['name'] : sourceOf(source, name);
  return /^[\w$.]+$/.test(shown) && endsLine(source.text, end) ? { name: shown, start, end } : undefined;
}

/** Whether nothing but the end of a statement follows on the line: what follows there runs before the next line. */
function endsLine(text: string, end: number): boolean {
  return /^\)?;?[ \t]*(?:\/\/[^\n]*)?\r?(?:\n|$)/.test(text.slice(end, end + 1000));
}

/** Where the line with the guard goes. */
interface GuardPlace {
  /** Index of the line after the statement. */
  readonly line: number;
  /** Empty in the middle of a chain of calls. */
  readonly name: string;
  readonly indent: string;
}

export function guardPlace(
  text: string,
  { name, start, end }: NamedCreation,
  framework: Framework,
  routers: ReadonlySet<string>,
): GuardPlace {
  const own = /^[ \t]*/.exec(text.slice(text.lastIndexOf('\n', start - 1) + 1))?.[0] ?? '';
  const lineBehind = (place: number): number => text.slice(0, place).split('\n').length;
  const first = { line: lineBehind(end), name, indent: own };
  // What a class calls between is in other methods.
  if (name.includes('.')) return first;
  if (framework !== 'koa') {
    const cors = endOfCors(text, end, name, routers);
    return cors !== undefined && endsLine(text, cors) ? { ...first, line: lineBehind(cors) } : first;
  }
  const { behind, indent } = placeOnKoa(text, end, name, routers);
  if (!endsLine(text, behind)) return first;
  return { line: lineBehind(behind), name: indent === undefined ? name : '', indent: indent ?? own };
}

/**
 * After `app.use(cors())`, because browsers sign no preflight; undefined if it is not there, or comes after anything that
 * may answer: what is not known stays behind the guard.
 */
function endOfCors(text: string, created: number, name: string, routers: ReadonlySet<string>): number | undefined {
  const call = `${name}.use(cors(`;
  const start = text.indexOf(call, created);
  if (start < 0) return undefined;
  const between = text.slice(created, start);
  // What else is called may know the application: `setUp()`, `this.routes()`.
  const calls = [...between.matchAll(/^[ \t]*(?:await )?([\w$.]+)\(/gm)];
  if (calls.some(([, called = '']) => !called.startsWith(`${name}.`))) return undefined;
  const ends = [...between.matchAll(/(?<![\w$.])[\w$]+/g)]
    .filter(([word]) => word === name)
    .map(({ index }) => index + name.length);
  const uses = ends.map((end, at) => between.slice(end, ends[at + 1]));
  const end = endOfCall(text, start + name.length + '.use('.length);
  // A chain may go on with anything.
  const isChained = [between, text.slice(end, end + 100)].some((rest) => /^\)\s*\./.test(rest));
  const isCorsAlone = isOuter(text.slice(start + name.length + '.use('.length), routers);
  return !isChained && isCorsAlone && uses.every((use) => isHarmless(use, routers)) ? end : undefined;
}

function isHarmless(use: string, routers: ReadonlySet<string>): boolean {
  if (/\)\s*\./.test(use)) return false;
  return (
    /^\.(?:set|enable|disable)\(/.test(use) || (use.startsWith('.use(') && isOuter(use.slice('.use('.length), routers))
  );
}
