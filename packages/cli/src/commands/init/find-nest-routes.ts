import { type FoundRoute, isComment, named } from './find-routes.js';
import type { Source } from './sources.js';

/** `@Controller('orders')`, `@Controller({ path: 'orders' })`, `@Controller()`. */
const controllers =
  /@Controller\(\s*(?:(?:\{[^}]*?path:\s*)?(['"`])([^'"`\n$]*)\1[^)]*|(?:\{(?![^}]*path)[^}]*\})?\s*)\)/g;
const methods = /@(Get|Post|Put|Patch|Delete)\(\s*(?:(['"`])([^'"`\n$]*)\2)?\s*\)/g;
/** Decorators that follow or precede another one, up to a permit. */
const permitAfter = /^(?:\s*@(?!Permit\()\w+\([^\n]*\))*\s*@Permit\(/;
const permitBefore = /@Permit\([^\n]*\)(?:\s*@\w+\([^\n]*\))*\s*$/;

/** The methods of controllers of NestJS, with the path of their controller before their own. */
export function nestRoutesIn({ path: file, text }: Source): FoundRoute[] {
  const declared = [...text.matchAll(controllers)].filter(({ index }) => !isComment(text, index));
  return [...text.matchAll(methods)].flatMap(({ index, 0: decorator, 1: method = '', 3: own = '' }) => {
    const controller = declared.findLast((each) => each.index < index);
    if (controller === undefined || isComment(text, index)) return [];
    const path = `/${[controller[2] ?? '', own]
      .flatMap((part) => part.split('/'))
      .filter(Boolean)
      .join('/')}`;
    const end = index + decorator.length;
    const [route] = named(method.toUpperCase(), path === '/' ? '/root' : path, file);
    if (route === undefined) return [];
    const isPermitted = permitAfter.test(text.slice(end, end + 2000)) || permitBefore.test(text.slice(0, index));
    const declaration = text.slice(index, text.indexOf('\n', end) + 1 || undefined);
    const place = isPermitted ? undefined : ({ offset: end, kind: 'line' } as const);
    return [{ ...route, path, listed: path, file, declaration, at: index, isPermitted, place }];
  });
}
