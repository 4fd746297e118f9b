import { isComment } from './calls.js';
import type { FoundRoute } from './find-routes.js';
import { guidePage } from '../../guide-page.js';
import { shownPlace, type Source } from './sources.js';

/** What stands in the source that a guard cannot see, or that runs before the guard knows the route. */
export function warningsOf(sources: readonly Source[], found: readonly FoundRoute[]): readonly string[] {
  return sources.flatMap((source) => [
    ...placesOf(source, uploads).map(
      ({ place }) => `${place} stores uploads before a route is known, also those of agents that are refused: ${page}`,
    ),
    ...placesOf(source, servedFolders)
      .filter(({ match: [text] }) => !text.includes('dirname') || !source.path.includes('/'))
      .map(({ place }) => `${place} serves this folder, so that anybody can read agent.pem: serve a folder of its own`),
    ...placesOf(source, sockets).map(({ place }) => `${place} opens connections that do not pass the guard: ${page}`),
    ...placesOf(source, patterns).flatMap(({ place, match }) => {
      const other = found.find(
        ({ file, at, path, method }) =>
          file === source.path &&
          at > match.index + match[0].length &&
          ['ALL', method].includes(match[1]?.toUpperCase() ?? '') &&
          matches(match[2] ?? '', path),
      );
      if (other === undefined) return [];
      const advice = `if it is middleware, mount it with use(), or agents get 403 there: ${page}`;
      return [`${place} also matches ${other.method} ${other.path}; ${advice}`];
    }),
  ]);
}

const page = guidePage('placement');

const uploads = /\.use\((?:(?!\.use\()[^;]){0,120}?\b(?:fileUpload|multer|formidable|busboy)\(/g;
/** Files of the folder in which the application is, or that of this source. */
const servedFolders =
  /(?:\b(?:static|serve|serveStatic)\(|\broot:)\s{0,9}(?:__dirname|import\.meta\.dirname|process\.cwd\(\)|(['"])\.\/?\1)\s{0,9}[,)}]/g;
const sockets = /^(?!import type\b).*(?:require\(|from )['"](?:socket\.io|ws|engine\.io|express-ws)['"]/gm;
/** A route whose path is a regular expression or has a wildcard. */
const patterns = /\.(get|post|put|patch|delete|all)\(\s*(\/(?![/*])[^\n]+?\/[a-z]*|'[^'\n]*\*'|"[^"\n]*\*")\s*,/g;

interface Found {
  readonly place: string;
  readonly match: RegExpExecArray;
}

function placesOf(source: Source, pattern: RegExp): readonly Found[] {
  return [...source.text.matchAll(pattern)]
    .filter(({ index }) => !isComment(source.text, index))
    .map((match) => ({ place: shownPlace(source, match.index), match }));
}

/** Whether a pattern seems to match a path: by the text with which it begins, because a reader judges the warning. */
function matches(pattern: string, path: string): boolean {
  const quoted = /^['"](.*)\*['"]$/.exec(pattern)?.[1];
  if (quoted !== undefined) return !quoted.includes(':') && path.startsWith(quoted);
  const [, anchor = '', body = '', end = ''] = /^\/(\^?)(.*?)(\$?)\/[a-z]*$/.exec(pattern) ?? [];
  if (end === '$') return false;
  const [, literal = '', excluded] = /^([\w/-]*)(?:\(\?!([\w/|-]+)\))?/.exec(body.replaceAll('\\/', '/')) ?? [];
  if (excluded?.split('|').some((each) => path.startsWith(literal + each)) === true) return false;
  return anchor === '^' ? path.startsWith(literal) : path.includes(literal);
}
