import type { FoundRoute } from './find-routes.js';
import { parametersOf } from './texts.js';

const members = /\b([\w.]+)\.(query|body)\b(?:\?\.|\.)?(?:(\w+)|\[['"](\w+)['"]\])/g;
const patterns = /\{([^{}]{1,500})\}\s*=\s*([\w.]+)\.(query|body)\b/g;
const isId = /^(?:u?u?id|slug)$|(?:Id|ID|_id|Uuid|Slug)$/;

/** Routes whose path names no resource, though the handler reads one: `req.query.fileId`. Their permit has a constant. */
export function idsBeside(routes: readonly FoundRoute[]): readonly string[] {
  return routes
    .filter(({ path, isPermitted }) => !isPermitted && parametersOf(path).length === 0)
    .flatMap(({ method, listed, where, handler }) => {
      const [name] = idsIn(handler);
      return name === undefined
        ? []
        : [`${method} ${listed} (${where}) reads ${name}: name the resource of its permit by it.`];
    });
}

function idsIn(handler: string): readonly string[] {
  const direct = [...handler.matchAll(members)].map(([, owner, part, name, quoted]) => [owner, part, name ?? quoted]);
  const destructured = [...handler.matchAll(patterns)].flatMap(([, list = '', owner, part]) =>
    list.split(',').map((each) => [owner, part, /^\s*(\w+)/.exec(each)?.[1]]),
  );
  return [...direct, ...destructured].filter((path) => isId.test(path[2] ?? '')).map((path) => path.join('.'));
}
