import { afterTypes, endOfCall, type RouterCall, routerCalls } from './calls.js';
import type { FoundRoute } from './find-routes.js';
import type { Foreign } from './foreign.js';
import { shownPlace, type Source } from './sources.js';

/** Where something looks like a route, and its path cannot be read: `app.route(…)`, `router.all(…)`, a path in a variable. */
export function unreadPlaces(
  sources: readonly Source[],
  found: readonly FoundRoute[],
  { isForeign }: Foreign,
): readonly string[] {
  return sources.flatMap((source) => {
    const known = new Set(found.filter(({ file }) => file === source.path).map(({ at }) => at));
    return placesIn(source, (call) => !known.has(call.at) && !isForeign(source, call));
  });
}

/** Where something looks like a route that the guard does not close. */
export function foreignPlaces(sources: readonly Source[], { isForeign }: Foreign): readonly string[] {
  return sources.flatMap((source) => placesIn(source, (call) => isForeign(source, call)));
}

function placesIn(source: Source, isWanted: (call: RouterCall) => boolean): readonly string[] {
  return routerCalls(source.text)
    .filter(({ method }) => /^(?:get|post|put|patch|delete|del|all|route)$/.test(method))
    .filter((call) => looksLikeRoute(source.text, call.end, call.method) && isWanted(call))
    .map(({ at }) => shownPlace(source, at));
}

/** Not `app.get('setting')`. */
function looksLikeRoute(text: string, end: number, method: string): boolean {
  const open = afterTypes(text, end);
  if (text.charAt(open) !== '(') return false;
  const call = text.slice(open + 1, endOfCall(text, open + 1));
  // The methods of `app.route('/path')` are routes of their own.
  if (method === 'route' && /^\s*(['"`])(?:\/[^'"`$]*)?\1\s*$/.test(call)) return false;
  return /[,{]/.test(call) || /^\s*['"`]\//.test(call);
}
