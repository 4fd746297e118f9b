import { endOfCall, isComment } from './calls.js';
import { type FoundRoute, named } from './find-routes.js';
import { shownPlace, type Source } from './sources.js';

const controllers = /@Controller\(/g;
const methods = /@(Get|Post|Put|Patch|Delete)\(/g;
/** What is in the parentheses of a method: a path, or nothing. Everything else has a path that only a person knows. */
const ownPath = /^\s*(?:(['"`])([^'"`\n$]*)\1\s*)?\)/;
/** Decorators that follow or precede another one, up to a permit. */
const permitAfter = /^(?:\s*@(?!Permit\()\w+\([^\n]*\))*\s*@Permit\(/;
const permitBefore = /@Permit\([^\n]*\)(?:\s*@\w+\([^\n]*\))*\s*$/;

/**
 * The methods of controllers of NestJS, with the path of their controller before their own. If modules have paths too, by
 * `RouterModule`, nobody knows here what comes before, and a person has to place the permits.
 */
export function findNestRoutes(sources: readonly Source[]): readonly FoundRoute[] {
  const isMountRead = !sources.some(({ text }) => /\bRouterModule\b/.test(text));
  const found = sources.flatMap(nestRoutesIn);
  return isMountRead ? found : found.map((route) => ({ ...route, isMountRead, place: undefined }));
}

function nestRoutesIn({ path: file, text }: Source): FoundRoute[] {
  const declared = [...text.matchAll(controllers)]
    .filter(({ index }) => !isComment(text, index))
    .map(({ index, 0: decorator }) => ({ index, path: pathOfController(text, index + decorator.length) }));
  return [...text.matchAll(methods)].flatMap(({ index, 0: decorator, 1: method = '' }) => {
    const controller = declared.findLast((each) => each.index < index);
    const [inside, , own = ''] = ownPath.exec(text.slice(index + decorator.length)) ?? [];
    if (controller?.path === undefined || inside === undefined || isComment(text, index)) return [];
    const path = `/${[controller.path, own]
      .flatMap((part) => part.split('/'))
      .filter(Boolean)
      .join('/')}`;
    const end = index + decorator.length + inside.length;
    const [route] = named(method.toUpperCase(), path === '/' ? '/root' : path, file);
    if (route === undefined) return [];
    const isPermitted = permitAfter.test(text.slice(end, end + 2000)) || permitBefore.test(text.slice(0, index));
    const declaration = text.slice(index, text.indexOf('\n', end) + 1 || undefined);
    const place = isPermitted ? undefined : ({ offset: end, kind: 'line' } as const);
    return [
      {
        ...route,
        path,
        listed: path,
        own: path,
        isMountRead: true,
        file,
        declaration,
        handler: handlerAt(text, index),
        at: index,
        where: shownPlace({ path: file, text }, index),
        isPermitted,
        place,
      },
    ];
  });
}

/** A method from its decorator to its last line, which is indented alike; at most to the next route. */
function handlerAt(text: string, start: number): string {
  const indent = /^[ \t]*/.exec(text.slice(text.lastIndexOf('\n', start) + 1, start))?.[0] ?? '';
  // Not `})`, the end of a decorator on several lines.
  const ends = [`\n${indent}}\n`, `\n${indent}}\r`].map((last) => text.indexOf(last, start));
  ends.push(text.slice(start + 1).search(methods) + start + 1);
  return text.slice(start, Math.min(...ends.filter((end) => end > start), text.length));
}

/** Of `@Controller('orders')`, `@Controller({ path: 'orders' })` and `@Controller()`; undefined if it is no text. */
function pathOfController(text: string, start: number): string | undefined {
  const inside = text.slice(start, endOfCall(text, start)).trim();
  if (inside === '' || (inside.startsWith('{') && !/\bpath\b/.test(inside))) return '';
  const [, , path] =
    (inside.startsWith('{') ? /\bpath:\s*(['"`])([^'"`\n$]*)\1/ : /^(['"`])([^'"`\n$]*)\1$/).exec(inside) ?? [];
  return path;
}
