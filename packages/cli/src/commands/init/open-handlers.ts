import type { Framework } from './application.js';
import { routerCalls, routerNames } from './calls.js';
import { importedFile } from './imports.js';
import { isOuter } from './place-on-koa.js';
import { shownPlace, type Source } from './sources.js';
import { isNode, nodesIn, parsed, type SyntaxNode } from './syntax.js';

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
export function openHandlers(sources: readonly Source[], framework: Framework): readonly string[] {
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
      const nodes = program === undefined ? [] : nodesIn(program);
      return nodes.flatMap(({ node }) => {
        const path = openPath(source, node, isRouter, framework);
        return path === undefined ? [] : [`${shownPlace(source, node.start)}${path === '' ? '' : ` (${path})`}`];
      });
    });
}

/** The path at which a call of `use` may answer requests without a permit; empty if it has none. */
function openPath(
  source: Source,
  node: SyntaxNode,
  isRouter: (text: string) => boolean,
  framework: Framework,
): string | undefined {
  const { callee, arguments: given } = node;
  if (node.type !== 'CallExpression' || !isNode(callee) || callee.type !== 'MemberExpression') return undefined;
  const textOf = ({ start, end }: SyntaxNode): string => source.text.slice(start, end);
  const owner = isNode(callee['object']) ? textOf(callee['object']) : '';
  const method = isNode(callee['property']) ? callee['property']['name'] : '';
  if (method !== 'use' || !/(?:app|server|router|consumer)$/i.test(owner)) return undefined;
  const values = given as readonly SyntaxNode[];
  const hasPath = /^(?:StringLiteral|TemplateLiteral|ArrayExpression|RegExpLiteral)$/.test(values[0]?.type ?? '');
  const path = hasPath && values[0] !== undefined ? textOf(values[0]).slice(0, 60) : '';
  const handlers = values.slice(hasPath ? 1 : 0);
  const last = handlers.at(-1);
  if (last === undefined || handlers.some((handler) => /\bpermit\(/.test(textOf(handler)))) return undefined;
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
