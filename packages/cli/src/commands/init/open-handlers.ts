import type { Framework } from './application.js';
import { ownerNames, routerCalls, routerNames } from './calls.js';
import type { Foreign } from './foreign.js';
import { importedFile, importsOf } from './imports.js';
import { isOuter } from './place-on-koa.js';
import { shownPlace, type Source } from './sources.js';
import { isNode, keyOf, nodesIn, parsed, type SyntaxNode } from './syntax.js';

/** Middleware that passes each request on, or routers. What is not known here may answer requests. */
const passesOn =
  /[rR]out(?:e|er|es|ers)(?:$|[^a-z])|^(?:express\.|body-?[pP]arser\.)?(?:json|urlencoded|text|raw)\(|^(?:body-?[pP]arser|koaBody|cookieParser|compression|session|cookieSession|csrf|csurf|lusca|multer|fileUpload|flash|methodOverride|agentAuth|noteThrown|morgan|log|logger|notFound)\b|^passport\.|^\w*(?:[aA]uth\w*|[lL]imit(?:er)?|[eE]rror\w*|[mM]iddleware)\b/;
/** What answers, though it has no path. */
const answers =
  /\bstatic\(|\bserve(?:Static)?\(|^serveIndex\(|proxy|graphql|apollo|yoga|expressMiddleware\(|createHandler\(|swagger/i;

/**
 * Handlers in `use`, such as GraphQL, proxies and static files. They are no routes, so the guard does not close them:
 * each verified agent gets through.
 */
export function openHandlers(
  sources: readonly Source[],
  framework: Framework,
  { isForeign, isOpen }: Foreign,
): readonly string[] {
  if (framework === 'fastify') return [];
  return sources
    .filter(({ text }) => /\.use\(/.test(text))
    .flatMap((source) => {
      const program = parsed(source);
      const routers = routerNames(source, sources);
      const isRouter = (text: string): boolean => {
        const [, file] = /^require\(\s*['"]([^'"]+)['"]\s*\)/.exec(text) ?? [];
        const target = file === undefined ? undefined : importedFile(file, source, sources);
        return (
          routers.has(/^\w*/.exec(text)?.[0] ?? '') || (target !== undefined && routerCalls(target.text).length > 0)
        );
      };
      const packages = packageNames(source, sources);
      const nodes = program === undefined ? [] : nodesIn(program);
      return nodes.flatMap(({ node }) => {
        const use = useIn(node);
        if (use === undefined || packages.has(use.owner)) return [];
        const isOuterUse = !isForeign(source, use);
        const isForeignOpen = (handler: SyntaxNode): boolean => isOuterUse && isOpen(source, handler);
        const path = openPath(source, node, isRouter, isForeignOpen, framework);
        return path === undefined ? [] : [`${shownPlace(source, use.at)}${path === '' ? '' : ` (${path})`}`];
      });
    });
}

/** What a file imports from packages, as `i18next.use(…)`. Every other name may be that of an application. */
function packageNames(source: Source, sources: readonly Source[]): ReadonlySet<string> {
  const foreign = importsOf(source, sources).filter(
    ({ path, target }) => target === undefined && !path.startsWith('.'),
  );
  return new Set(foreign.flatMap(({ names }) => names).filter((name) => !ownerNames.test(name)));
}

/** A call of `use`, also in a chain: the name with which that begins, empty if there is none, and the offset of `use`. */
function useIn({ type, callee }: SyntaxNode): { readonly owner: string; readonly at: number } | undefined {
  if (type !== 'CallExpression' || !isNode(callee) || callee.type !== 'MemberExpression') return undefined;
  if (keyOf(callee) !== 'use' || !isNode(callee['property'])) return undefined;
  let owner = callee['object'];
  while (isNode(owner)) {
    const { object } = owner;
    // `this.app.use(…)`
    if (isNode(object) && object.type === 'ThisExpression')
      return { owner: keyOf(owner) ?? '', at: callee['property'].start };
    if (owner.type === 'MemberExpression') owner = object;
    else if (owner.type === 'CallExpression' && isNode(owner['callee']) && owner['callee'].type === 'MemberExpression')
      owner = owner['callee']['object'];
    else break;
  }
  const name = isNode(owner) ? owner['name'] : undefined;
  return { owner: typeof name === 'string' ? name : '', at: callee['property'].start };
}

/** The path at which a call of `use` may answer requests without a permit; empty if it has none. */
function openPath(
  source: Source,
  node: SyntaxNode,
  isRouter: (text: string) => boolean,
  isForeignOpen: (handler: SyntaxNode) => boolean,
  framework: Framework,
): string | undefined {
  const textOf = ({ start, end }: SyntaxNode): string => source.text.slice(start, end);
  const values = node['arguments'] as readonly SyntaxNode[];
  const [first] = values;
  // A name is no path: `passport.use('local', strategy)`.
  if (first?.type === 'StringLiteral' && /^\w/.test(String(first['value']))) return undefined;
  const hasPath = /^(?:StringLiteral|TemplateLiteral|ArrayExpression|RegExpLiteral)$/.test(first?.type ?? '');
  const path = hasPath && first !== undefined ? textOf(first).slice(0, 60) : '';
  const handlers = values.slice(hasPath ? 1 : 0);
  const last = handlers.at(-1);
  if (last === undefined || handlers.some((handler) => /\bpermit\(/.test(textOf(handler)))) return undefined;
  if (handlers.some(isForeignOpen)) return path;
  const text = textOf(last);
  if (isFunction(last)) {
    const answersAll = framework === 'koa' && /\.body = /.test(text);
    return (hasPath || answersAll) && isHandler(last, framework) ? path : undefined;
  }
  // What it is called with may speak of anything.
  const [called = ''] = /^(?:mount\([^,\n]{0,100},\s*)?[\w.]*\(?/.exec(text) ?? [];
  if (answers.test(called)) return path;
  return !hasPath || passesOn.test(text) || isRouter(text) || isOuter(`${text})`, new Set()) ? undefined : path;
}

function isFunction({ type }: SyntaxNode): boolean {
  return type === 'ArrowFunctionExpression' || type === 'FunctionExpression';
}

/** Whether it gets no `next`, so that it has to answer. */
function isHandler({ params }: SyntaxNode, framework: Framework): boolean {
  return Array.isArray(params) && params.length < (framework === 'koa' ? 2 : 3);
}
